import * as t from 'io-ts'
import type { Terminal } from './command.ts'
import { printable } from './printable.ts'

/** Which company a person belongs to by mail domain, or how many belong to a company, for people. */

const textOrNull = t.union([t.string, t.null])
const employer = t.type({
  id: textOrNull,
  name: textOrNull,
  domain: t.string,
  because: t.intersection([
    t.type({ rule: t.string, version: t.string }),
    t.partial({ event: t.string, source: t.string, time: t.string }),
  ]),
})
const employment = t.partial({
  employer: t.union([employer, t.null]),
  people: t.union([t.type({ count: t.number, list: t.string }), t.null]),
})

/** Nothing where there is none, or the engine is older than this. */
export function printEmployment(terminal: Terminal, data: unknown): void {
  const decoded = employment.decode(data)
  if (decoded._tag === 'Left') return
  const { employer: company, people } = decoded.right
  if (company !== undefined && company !== null) {
    terminal.out('')
    terminal.out(terminal.style.bold('employer'))
    terminal.out(`  ${companyText(company)}`)
    terminal.out(terminal.style.dim(`  ${becauseText(company)}`))
  }
  if (people !== undefined && people !== null) {
    terminal.out('')
    terminal.out(terminal.style.bold('people of this company'))
    terminal.out(printable(`  ${people.count}, listed at ${people.list}`))
  }
}

type Employer = t.TypeOf<typeof employer>

function companyText({ id, name, domain }: Employer): string {
  if (id === null) return printable(`${domain}: no company of this domain is known`)
  return printable(`${name ?? '(no name)'}  ${domain}  profile ${id}`)
}

function becauseText({ because: { rule, version, source, time, event } }: Employer): string {
  const sent = event === undefined ? '' : `; mail address from ${source}, ${time}, event ${event}`
  return printable(`${rule}, identity rules ${version}${sent}`)
}
