/** What customers typed must not steer the terminal that shows it. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, '\ufffd')
}

/** A field's value on a line of text. */
export function valueText(value: unknown): string {
  if (value === '') return "'' (blank)"
  if (value === null || value === undefined) return 'removed'
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}
