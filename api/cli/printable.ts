/** Control characters, line ends of Unicode, and what makes text run the other way (UAX 9), so that it shows as another. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const STEERING = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** What customers typed must not steer the terminal that shows it. */
export function printable(text: string): string {
  return text.replaceAll(STEERING, '\ufffd')
}

/** A field's value on a line of text. */
export function valueText(value: unknown): string {
  if (value === '') return "'' (blank)"
  if (value === null || value === undefined) return 'removed'
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}
