import * as t from 'io-ts'

const MAX_TEXT_LENGTH = 1_000

/** A name or a reason that a steward states: some text, and no more than 1,000 UTF-16 code units. */
export const statedText = new t.Type<string, string, unknown>(
  'text',
  t.string.is,
  (input, context) =>
    typeof input === 'string' && input !== '' && input.length <= MAX_TEXT_LENGTH && input.isWellFormed()
      ? t.success(input)
      : t.failure(input, context),
  String,
)
