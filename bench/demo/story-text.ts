import type { Story } from '../simulator/story.ts'
import type { RunningEngine } from './engine.ts'

/** What a stranger types, with everything filled in, and what there is to see. */

interface Told {
  readonly story: Story
  readonly engine: RunningEngine
  /** The engine's data directory. */
  readonly data: string
  /** To be typed first where the command line doesn't find the engine by itself. */
  readonly exported: string | undefined
}

type Step = readonly [command: string, look: string]

export function storyText({ story, engine, data, exported }: Told): string {
  const { email, otherEmail, beforeBuying, webPhone } = story
  const steps: readonly Step[] = [
    [
      `npx headwater show ${email}`,
      'Mara, a customer: each value with the system it came from and what it overruled',
    ],
    [
      `npx headwater why ${email} phone`,
      'billing and the web shop disagree: one sentence says who won, and why; npx headwater conflicts lists all such',
    ],
    [
      `npx headwater resolve ${email} phone ${webPhone} --dry-run`,
      'a steward decides for what she typed herself: what would change; without --dry-run it is done, and why tells of it',
    ],
    [
      `npx headwater show ${email} --as-of ${beforeBuying}`,
      'the same person before she bought: another phone number, no orders, nobody joined to her',
    ],
    [
      `npx headwater why-merged ${email}`,
      `why is her first name Otto? ${otherEmail} typed his address into the same tablet at the fair`,
    ],
    [
      `npx headwater unmerge ${email} --dry-run`,
      'who would have what once the two are taken apart; without --dry-run it is done: show her again, and she is herself',
    ],
    [
      `echo '${JSON.stringify(WEB_FIRST)}' | npx headwater try -`,
      'what would change for everybody, and because of which events, if the shop were trusted before billing; nothing is published',
    ],
    [
      `npx headwater verify --data ${data}`,
      'every read model is, row by row, what the log comes to; and the log is what was signed',
    ],
  ]
  return [
    "One customer's story, to be typed in another terminal in this directory:",
    '',
    ...(exported === undefined ? [] : [`  ${exported}`, '']),
    ...steps.flatMap(([command, look]) => [`  ${command}`, `      ${look}`, '']),
    `  The page: ${engine.url}/#token=${engine.readToken}`,
    '      search, people, pipeline, open cases, and counts that move: events keep coming in',
    '',
    ...killStep(engine.pid),
  ].join('\n')
}

/** Of the kind that `rules.published` takes. */
const WEB_FIRST = {
  kind: 'survivorship',
  rules: { 'profile.phone': { rule: 'rankedUnlessBlank', sources: ['web', 'erp'] } },
}

export function killStep(pid: number): readonly string[] {
  return [
    `  kill -9 ${pid}`,
    '      the engine dies while events come in; it starts again, and everything acknowledged is counted in its log',
  ]
}
