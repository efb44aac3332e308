/** A line plot with logarithmic axes as one SVG document, readable on light and dark pages. No dependency, no script. */
export interface Plot {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
  /** Vertical lines with a word at their top. */
  readonly marks?: readonly { readonly x: number; readonly label: string }[] | undefined
}

export interface Axis {
  readonly label: string
}

export interface Series {
  readonly name: string
  /** Points that aren't positive and finite have no place on logarithmic axes and are left out. */
  readonly points: readonly Point[]
}

type Point = readonly [x: number, y: number]

interface Scale {
  readonly ticks: readonly number[]
  readonly from: number
  readonly to: number
  place(value: number): number
}

const WIDTH = 820
const HEIGHT = 460
const FRAME = { left: 76, right: 690, top: 48, bottom: 396 } as const
/** Okabe and Ito's palette: told apart by colour-blind readers. */
const COLOURS = ['#0072b2', '#009e73', '#e69f00', '#d55e00', '#cc79a7', '#56b4e9'] as const

export function svgPlot(plot: Plot): string {
  const series = plot.series.map(({ name, points }) => ({ name, points: points.filter(isPlaceable) }))
  const all = series.flatMap(({ points }) => points)
  const xs = [...all.map(([x]) => x), ...(plot.marks ?? []).map(({ x }) => x)]
  const x = logScale(xs, FRAME.left, FRAME.right, [1, 2, 5])
  const y = logScale(
    all.map(([, value]) => value),
    FRAME.bottom,
    FRAME.top,
    [1],
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escapeXml(plot.title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(FRAME.left, 26, plot.title, 'font-size="15" font-weight="600"'),
    ...x.ticks.map((tick) => verticalTick(x, tick)),
    ...y.ticks.map((tick) => horizontalTick(y, tick)),
    `<rect x="${FRAME.left}" y="${FRAME.top}" width="${FRAME.right - FRAME.left}" height="${FRAME.bottom - FRAME.top}" fill="none" stroke="#666666"/>`,
    ...(plot.marks ?? []).filter((mark) => isPlaceable([mark.x, 1])).map((mark) => markLine(x, mark)),
    ...series.map((one, at) => seriesOf(one, at, x, y)),
    ...series.map(({ name }, at) => legend(name, at)),
    text((FRAME.left + FRAME.right) / 2, HEIGHT - 16, plot.x.label, 'text-anchor="middle"'),
    `<g transform="translate(18 ${(FRAME.top + FRAME.bottom) / 2}) rotate(-90)">${text(0, 0, plot.y.label, 'text-anchor="middle"')}</g>`,
    '</svg>',
    '',
  ].join('\n')
}

function isPlaceable([x, y]: Point): boolean {
  return Number.isFinite(x) && Number.isFinite(y) && x > 0 && y > 0
}

/** Reaches from the tick below the least value to the one above the greatest; a single value gets air on both sides. */
function logScale(
  values: readonly number[],
  start: number,
  end: number,
  multiples: readonly number[],
): Scale {
  const placed = values.filter((value) => Number.isFinite(value) && value > 0)
  const [least, greatest] = placed.length === 0 ? [1, 10] : [Math.min(...placed), Math.max(...placed)]
  const candidates: number[] = []
  for (let power = Math.floor(Math.log10(least)) - 1; power <= Math.ceil(Math.log10(greatest)) + 1; power++) {
    for (const multiple of multiples) candidates.push(Number(`${multiple}e${power}`))
  }
  const from = candidates.findLast((tick) => tick <= least) ?? least
  const to = candidates.find((tick) => tick >= greatest && tick > from) ?? greatest
  const [low, high] = [Math.log10(from), Math.log10(to)]
  return {
    from,
    to,
    ticks: candidates.filter((tick) => tick >= from && tick <= to),
    place: (value) => start + ((Math.log10(value) - low) / (high - low)) * (end - start),
  }
}

function verticalTick(scale: Scale, tick: number): string {
  const x = fixed(scale.place(tick))
  const grid = `<line x1="${x}" x2="${x}" y1="${FRAME.top}" y2="${FRAME.bottom}" stroke="#e2e2e2"/>`
  return grid + text(x, FRAME.bottom + 18, shortNumber(tick), 'text-anchor="middle"')
}

function horizontalTick(scale: Scale, tick: number): string {
  const y = fixed(scale.place(tick))
  const grid = `<line x1="${FRAME.left}" x2="${FRAME.right}" y1="${y}" y2="${y}" stroke="#e2e2e2"/>`
  return grid + text(FRAME.left - 8, y + 4, shortNumber(tick), 'text-anchor="end"')
}

function markLine(scale: Scale, mark: { readonly x: number; readonly label: string }): string {
  const x = fixed(scale.place(mark.x))
  const line = `<line x1="${x}" x2="${x}" y1="${FRAME.top}" y2="${FRAME.bottom}" stroke="#999999" stroke-dasharray="4 4"/>`
  return line + text(x - 4, FRAME.top + 14, mark.label, 'text-anchor="end" fill="#666666"')
}

function seriesOf({ points }: Series, at: number, x: Scale, y: Scale): string {
  const colour = COLOURS[at % COLOURS.length]
  const placed = points.map(([px, py]) => `${fixed(x.place(px))},${fixed(y.place(py))}`)
  const dots = placed.map((point) => {
    const [cx, cy] = point.split(',')
    return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`
  })
  return `<polyline points="${placed.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}`
}

function legend(name: string, at: number): string {
  const y = FRAME.top + 16 + at * 22
  const colour = COLOURS[at % COLOURS.length]
  const line = `<line x1="${FRAME.right + 14}" x2="${FRAME.right + 36}" y1="${y - 4}" y2="${y - 4}" stroke="${colour}" stroke-width="2"/>`
  return line + text(FRAME.right + 42, y, name)
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const fill = attributes.includes('fill=') ? '' : ' fill="#222222"'
  return `<text x="${fixed(x)}" y="${fixed(y)}"${fill}${attributes === '' ? '' : ` ${attributes}`}>${escapeXml(content)}</text>`
}

function shortNumber(value: number): string {
  return value >= 1_000 ? `${value / 1_000} k` : String(value)
}

function fixed(value: number): number {
  return Number(value.toFixed(1))
}

/** XML 1.0 allows no control characters, not even escaped. */
function escapeXml(content: string): string {
  return content
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\u{fffd}')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
