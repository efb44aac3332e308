const CODES: Readonly<Record<string, string>> = {
  b: '1',
  f: '1',
  p: '1',
  v: '1',
  c: '2',
  g: '2',
  j: '2',
  k: '2',
  q: '2',
  s: '2',
  x: '2',
  z: '2',
  d: '3',
  t: '3',
  l: '4',
  m: '5',
  n: '5',
  r: '6',
}

/**
 * American Soundex as the National Archives have it (letters of one code count once also across `h` and `w`): how a name
 * sounds, as a letter and three digits. Takes folded text; other scripts and texts without a letter come back as they are.
 */
export function soundex(text: string): string {
  const letters = text.replace(/[^a-z]/g, '')
  const first = letters[0]
  if (first === undefined || /\p{L}/u.test(text.replace(/[a-z]/g, ''))) return text
  let code = first
  let last = CODES[first] ?? ''
  for (const letter of letters.slice(1)) {
    if (letter === 'h' || letter === 'w') continue
    const digit = CODES[letter] ?? ''
    if (digit !== '' && digit !== last) code += digit
    if (code.length === 4) break
    last = digit
  }
  return code.padEnd(4, '0')
}
