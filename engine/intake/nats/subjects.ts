/** The subjects that events are published to. */

/** `events.<workspace>.<source>`; the source may have several tokens. */
export function subjectsOf(workspace: string): string {
  return `events.${workspace}.>`
}

export function sourceOf(subject: string, workspace: string): string {
  return subject.slice(`events.${workspace}.`.length)
}

/** Whether some subject matches both patterns (`*` one token, `>` one or more at the end). */
export function subjectsOverlap(a: string, b: string): boolean {
  const [left, right] = [a.split('.'), b.split('.')]
  for (let at = 0; ; at++) {
    const [l, r] = [left[at], right[at]]
    if (l === undefined || r === undefined) return l === r
    if (l === '>' || r === '>') return true
    if (l !== '*' && r !== '*' && l !== r) return false
  }
}
