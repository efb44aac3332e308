import type { ProposedEvent } from './connection.ts'

/**
 * An event of JSON as the client sends it fastest. For data that are labelled as JSON the client takes values alone, and brings them
 * on their way through base64, which it undoes twice in plain JavaScript: that is most of what an append costs it. It asks for the
 * content type twice, to label the event and then to tell how to take the data: the second answer is that they are bytes. Whoever
 * asks once before the data gets the value.
 */
export class JsonEvent {
  readonly id: string
  readonly type: string
  readonly metadata: ProposedEvent['metadata']
  readonly #data: Uint8Array
  #isLabelled = false

  constructor({ id, type, data, metadata }: ProposedEvent) {
    this.id = id
    this.type = type
    this.metadata = metadata
    this.#data = data
  }

  get contentType(): 'application/json' | 'application/octet-stream' {
    this.#isLabelled = !this.#isLabelled
    return this.#isLabelled ? 'application/json' : 'application/octet-stream'
  }

  get data(): unknown {
    return this.#isLabelled ? JSON.parse(Buffer.from(this.#data).toString()) : this.#data
  }
}
