import * as t from 'io-ts'
import type { IdentityId } from './identity.ts'

/**
 * How an event type is described. One description is the source of its TypeScript type, its validation, its JSON
 * Schema, its arbitrary in tests, and of which fields are personal.
 */

/** Keys of one class are destroyed together when their retention ends. */
export type RetentionClass = 'profile' | 'behaviour' | 'transaction' | 'service' | 'governance'

/**
 * Where an identity stands in the data as sent: `['email', 'traits.email']`. A path may end at a string or a
 * number. Anything else there is ignored; the codec says whether it is allowed. With the namespace `*` the path ends at
 * an array of `{namespace, value}`.
 */
export type IdentityPath = readonly [namespace: string, path: string]

/** What normalising does with the field at a path: see `engine/intake/normalise.ts`. */
export type Normalisation = 'email' | 'phone' | 'money' | 'currency' | 'instant' | 'country'

/** The properties that name a read model and the key of a row; of `people` keys are identity ids. */
export interface About {
  readonly view: string
  readonly key: string
  readonly people: readonly string[]
}

export interface EventDefinition<C extends t.Mixed = t.Mixed> {
  /** Newest version of `data`. */
  readonly schema: number
  /** Validates `data` as sent, after upcasting. Keeps properties that it doesn't know. */
  readonly codec: C
  /** First part of the stream's name where the sender names none: `opportunity`. */
  readonly category: string
  /**
   * Property whose value is the record's id in a derived stream name; absent: the leading identity's id. Must not be
   * personal.
   */
  readonly record?: string | undefined
  /**
   * Without `record`: namespace of the identity whose id stands in a derived stream name, so that a lead's stream
   * stays the lead's when an event about it also names a contact. Absent, or no such identity: the leading one.
   */
  readonly streamNamespace?: string | undefined
  /** Of a type that is about a row of a read model. */
  readonly about?: About | undefined
  readonly retention: RetentionClass
  readonly identities: readonly IdentityPath[]
  /** Path (a `*` stands for every element of an array) → what to make of it. */
  readonly normalise: Readonly<Record<string, Normalisation>>
  /** From a schema version to the next: `upcasters[1]` lifts 1 to 2. There is one for every version below `schema`. */
  readonly upcasters?: Readonly<
    Record<number, (data: Readonly<Record<string, unknown>>) => Record<string, unknown>>
  >
}

/**
 * Marks a property of `data` as personal: it is sealed whole under the leading identity's key. A property that the
 * codec doesn't know is sealed likewise; one that it knows and doesn't mark stays readable for ever.
 */
export class PersonalType<C extends t.Mixed> extends t.Type<t.TypeOf<C>, t.OutputOf<C>, unknown> {
  readonly _tag: 'PersonalType' = 'PersonalType'
  readonly inner: C
  /** For an array of people: path in an element → namespace of the identity that the element is sealed under. */
  readonly owner: IdentityPath | undefined
  constructor(inner: C, owner?: IdentityPath) {
    super(`personal(${inner.name})`, inner.is, inner.validate, inner.encode)
    this.inner = inner
    this.owner = owner
  }
}

export function personal<C extends t.Mixed>(inner: C): PersonalType<C> {
  return new PersonalType(inner)
}

/**
 * An array whose elements are each about a person of their own: every element is sealed under the key of the
 * identity that it carries at `owner`, or of the leading identity where it carries none.
 */
export function people<C extends t.Mixed>(element: C, owner: IdentityPath): PersonalType<t.ArrayC<C>> {
  return new PersonalType(t.array(element), owner)
}

/** Value → personal id, as the key store keeps it; handed to whoever needs to show or look up a person. */
export interface IdentityDirectory {
  /** The id of a known identity; undefined if it was never seen, or was erased. */
  find(namespace: string, value: string): IdentityId | undefined
  /** The namespace and value behind an id; undefined once erased. */
  reveal(id: IdentityId): { readonly namespace: string; readonly value: string } | undefined
}
