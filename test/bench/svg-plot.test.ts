/**
 * Theorem: whatever is plotted, what comes out is well-formed XML whose points lie within the frame, in the order of their
 * values on logarithmic axes.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { svgPlot } from '../../bench/svg-plot.ts'

/** Throws unless tags are balanced, attributes quoted and unique, and text escaped: XML as far as a plot uses it. */
function parse(xml: string): { readonly name: string; readonly attributes: ReadonlyMap<string, string> }[] {
  const elements: { name: string; attributes: ReadonlyMap<string, string> }[] = []
  const open: string[] = []
  let at = 0
  let roots = 0
  for (const match of xml.matchAll(/<(\/?)([a-zA-Z]+)((?:\s+[a-zA-Z][\w-]*="[^"<]*")*)\s*(\/?)>/g)) {
    checkText(xml.slice(at, match.index))
    at = match.index + match[0].length
    const [, closing, name = '', stated = '', empty] = match
    if (closing === '/') {
      expect(open.pop()).toBe(name)
      continue
    }
    const pairs = [...stated.matchAll(/([a-zA-Z][\w-]*)="([^"]*)"/g)].map(
      ([, key = '', value = '']) => [key, value] as const,
    )
    const attributes = new Map(pairs)
    expect(attributes.size).toBe(pairs.length)
    if (open.length === 0) roots += 1
    elements.push({ name, attributes })
    if (empty !== '/') open.push(name)
  }
  checkText(xml.slice(at))
  expect([open, roots]).toEqual([[], 1])
  return elements
}

function checkText(text: string): void {
  expect(text).not.toMatch(/[<>]/)
  expect(text.replaceAll(/&(?:amp|lt|gt|quot);/g, '')).not.toContain('&')
  expect(text).not.toMatch(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u)
}

const number = fc.oneof(
  fc.double({ min: 1e-3, max: 1e7, noNaN: true }),
  fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY),
)
const word = fc.string({ unit: 'binary', maxLength: 20 })

test('is well-formed, and every point lies within the frame', () => {
  const series = fc.record({ name: word, points: fc.array(fc.tuple(number, number), { maxLength: 12 }) })
  fc.assert(
    fc.property(fc.array(series, { maxLength: 7 }), word, word, (all, title, label) => {
      const svg = svgPlot({
        title,
        x: { label },
        y: { label },
        series: all,
        marks: [{ x: 100, label }],
      })
      const circles = parse(svg).filter(({ name }) => name === 'circle')
      const placeable = all.flatMap(({ points }) =>
        points.filter(([x, y]) => x > 0 && y > 0 && Number.isFinite(x) && Number.isFinite(y)),
      )
      expect(circles).toHaveLength(placeable.length)
      for (const { attributes } of circles) {
        const [x, y] = [Number(attributes.get('cx')), Number(attributes.get('cy'))]
        expect(x).toBeGreaterThanOrEqual(76)
        expect(x).toBeLessThanOrEqual(690)
        expect(y).toBeGreaterThanOrEqual(48)
        expect(y).toBeLessThanOrEqual(396)
      }
    }),
    { numRuns: 200 },
  )
})

test('equal ratios are equal distances, and more is further to the right and higher', () => {
  const points = [
    [10, 1],
    [100, 10],
    [1_000, 100],
  ] as const
  const svg = svgPlot({ title: 't', x: { label: 'x' }, y: { label: 'y' }, series: [{ name: 's', points }] })
  const at = parse(svg)
    .filter(({ name }) => name === 'circle')
    .map(({ attributes }) => [Number(attributes.get('cx')), Number(attributes.get('cy'))] as const)
  const [a = [0, 0], b = [0, 0], c = [0, 0]] = at
  expect(b[0] - a[0]).toBeGreaterThan(0)
  expect(b[0] - a[0]).toBeCloseTo(c[0] - b[0], 0)
  expect(a[1] - b[1]).toBeGreaterThan(0)
  expect(a[1] - b[1]).toBeCloseTo(b[1] - c[1], 0)
})
