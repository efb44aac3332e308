import type { Story } from '../simulator/story.ts'
import type { RunningEngine } from './engine.ts'

/** What a stranger types, with everything filled in, and what there is to see. */

interface Told {
  readonly story: Story
  readonly engine: RunningEngine
  /** To be typed first where the command line doesn't find the engine by itself. */
  readonly exported: string | undefined
}

type Step = readonly [command: string, look: string]

export function storyText({ story, engine, exported }: Told): string {
  const { email, otherEmail, beforeBuying } = story
  const steps: readonly Step[] = [
    [
      `npx headwater show ${email}`,
      'Mara, a customer: each value with the system it came from and what it overruled',
    ],
    [
      `npx headwater why ${email} phone`,
      'billing and the web shop disagree: one sentence says who won, and why',
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
      unmerge(story),
      'a steward takes the two apart, for now by an event: show her again, and she is herself',
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

function unmerge({ otherEmail, sharedDevice }: Story): string {
  const identities = [
    { namespace: 'email', value: otherEmail },
    { namespace: 'anonymous', value: sharedDevice },
  ]
  const data = { steward: 'you', reason: 'shared tablet', identities }
  const event = { id: 'cut-1', source: 'console', type: 'identity.cut', data }
  return `npx headwater append '${JSON.stringify(event)}'`
}

export function killStep(pid: number): readonly string[] {
  return [
    `  kill -9 ${pid}`,
    '      the engine dies while events come in; it starts again, and everything acknowledged is counted in its log',
  ]
}
