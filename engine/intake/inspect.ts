import type { QuarantineReason } from './result.ts'

/** What is wrong with a value before any codec looks at it; the message names the rule, never a value. */
interface Finding {
  readonly reason: QuarantineReason
  readonly message: string
}

interface Inspection {
  readonly finding: Finding | undefined
  /** About the bytes of its JSON text, at least those of its strings. */
  readonly sizeBytes: number
}

/**
 * Holds a parsed value to the JSON data model that the log keeps: finite numbers, well-formed strings, plain objects
 * and arrays, at most `maxDepth` levels, no `__proto__` key (encoders rename it, and it has no honest use).
 */
export function inspect(value: unknown, maxDepth: number): Inspection {
  const inspector = new Inspector()
  const finding = inspector.look(value, maxDepth)
  return { finding, sizeBytes: inspector.sizeBytes }
}

class Inspector {
  sizeBytes = 0

  look(value: unknown, depthLeft: number): Finding | undefined {
    switch (typeof value) {
      case 'string':
        this.sizeBytes += utf8Bound(value) + 2
        return value.isWellFormed()
          ? undefined
          : finding('invalid_utf8', 'a string holds half a surrogate pair')
      case 'number':
        this.sizeBytes += 9
        return Number.isFinite(value) ? undefined : finding('invalid_data', 'a number is not finite')
      case 'boolean':
        this.sizeBytes += 1
        return undefined
      case 'object':
        this.sizeBytes += 2
        if (value === null) return undefined
        if (depthLeft === 0) return finding('too_deep', 'the value is nested too deeply')
        return Array.isArray(value) ? this.#array(value, depthLeft - 1) : this.#object(value, depthLeft - 1)
      case 'bigint':
        return finding(
          'invalid_data',
          'an integer is beyond 2^53, where JSON readers no longer keep it exactly: send it as a string',
        )
      default:
        return finding('invalid_data', `a value of kind ${typeof value} has no JSON form`)
    }
  }

  #array(values: readonly unknown[], depthLeft: number): Finding | undefined {
    for (const value of values) {
      const found = this.look(value, depthLeft)
      if (found !== undefined) return found
    }
    return undefined
  }

  #object(object: object, depthLeft: number): Finding | undefined {
    const prototype: unknown = Object.getPrototypeOf(object)
    if (prototype !== Object.prototype && prototype !== null) {
      return finding('invalid_data', 'binary values and extension types have no JSON form')
    }
    const record = object as Readonly<Record<string, unknown>>
    for (const key in record) {
      // MessagePack readers hand the key on as `__proto_`.
      if (key === '__proto__' || key === '__proto_')
        return finding('forbidden_key', 'the key __proto__ is not accepted')
      if (!key.isWellFormed()) return finding('invalid_utf8', 'a key holds half a surrogate pair')
      this.sizeBytes += key.length + 2
      const found = this.look(record[key], depthLeft)
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** Exact where it matters: a short string's code units say enough. */
function utf8Bound(text: string): number {
  return text.length < 1_024 ? text.length : Buffer.byteLength(text)
}

function finding(reason: QuarantineReason, message: string): Finding {
  return { reason, message }
}
