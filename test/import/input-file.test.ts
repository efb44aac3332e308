/**
 * Theorem: every row of a file is handed out once, in order, with the line where it begins, or reported as bad without
 * harm to its neighbours; a file that can't be trusted any further ends in a typed failure after the rows before it.
 */
import { gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { afterAll, describe, expect, test } from 'vitest'
import { type InputItem, openInput } from '../../api/import/input-file.ts'
import { compile, mappingDocument, readAll, temporaryFiles } from './support.ts'

const files = temporaryFiles()
afterAll(files.remove)

const CSV = compile(mappingDocument())
const NDJSON = compile(
  mappingDocument({ input: { format: 'ndjson', columns: ['a', 'b'], optional: ['c.d'], zone: 'UTC' } }),
)

/** A row as `line: cells`, anything else as `line: reason`. */
function short(item: InputItem): string {
  switch (item._tag) {
    case 'Row':
      return `${item.line}: ${item.cells.join('|')}`
    case 'BadRow':
      return `${item.line}-${item.endLine}: ${item.reason}`
    case 'Failed':
      return `failed: ${item.failure.reason}`
  }
}

async function read(content: string | Uint8Array, mapping = CSV): Promise<readonly string[]> {
  return (await readAll(files.write('input', content), mapping)).map(short)
}

describe('csv', () => {
  test('columns by name, in any order, with others beside them', async () => {
    expect(await read('x,b,a\n1,2,3\n')).toEqual(['2: 3|2'])
  })

  test('quotes, quoted line breaks, blank lines and both line endings', async () => {
    const text = 'a,b\r\n"x,1","say ""hi"""\r\n\r\n"two\nlines",2\n3,4"5\n'
    expect(await read(text)).toEqual(['2: x,1|say "hi"', '4: two\nlines|2', '6: 3|4"5'])
  })

  test('no line break at the end', async () => {
    expect(await read('a,b\n1,2')).toEqual(['2: 1|2'])
  })

  test('a byte order mark and text beyond ASCII', async () => {
    expect(await read('\ufeffa,b\nçã,日本😀\n')).toEqual(['2: çã|日本😀'])
  })

  test('ragged rows', async () => {
    expect(await read('a,b\n1\n1,2,3\n1,2\n')).toEqual(['2-2: ragged_row', '3-3: ragged_row', '4: 1|2'])
  })

  test('a row that is not UTF-8 leaves its neighbours alone', async () => {
    const bytes = Buffer.concat([
      Buffer.from('a,b\nå,1\n'),
      Buffer.from([0xe5, 0x2c, 0x32, 0x0a]),
      Buffer.from('ä,3\n'),
    ])
    expect(await read(bytes)).toEqual(['2: å|1', '3-3: invalid_utf8', '4: ä|3'])
  })

  test('a quote that is never closed', async () => {
    expect(await read('a,b\n1,2\n"3,4\n5,6\n')).toEqual(['2: 1|2', '3-5: quote_not_closed'])
  })

  test('a quote that is closed by a later one', async () => {
    expect(await read('a,b\n"1,2\n3,"4\n5,6\n')).toEqual(['2-3: ragged_row', '4: 5|6'])
  })

  test('a row without end fails after the rows before it', async () => {
    const found = await read(`a,b\n1,2\n"${'x'.repeat(1_100_000)}\n3,4\n`)
    expect(found).toEqual(['2: 1|2', 'failed: record_too_long'])
  })

  test.each([
    ['', 'failed: no_header'],
    ['a,c\n1,2\n', 'failed: missing_column'],
    ['a,b,a\n1,2,3\n', 'failed: duplicate_column'],
    [Buffer.from('\ufffea,b\n', 'utf16le'), 'failed: not_utf8'],
  ])('a header that will not do (%#)', async (content, expected) => {
    expect(await read(content)).toEqual([expected])
  })

  test('another delimiter', async () => {
    const mapping = compile(
      mappingDocument({ input: { format: 'csv', columns: ['a', 'b'], zone: 'UTC', delimiter: ';' } }),
    )
    expect(await read('a;b\n1,5;2\n', mapping)).toEqual(['2: 1,5|2'])
  })

  test('what is written is read, whatever the cells hold', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', ' ', 'é', '😀'), maxLength: 8 })
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 20 }), async (rows) => {
        const text = rows.map((row) => row.map(quoted).join(',')).join('\n')
        const items = await readAll(files.write('property', `a,b\n${text}\n`), CSV)
        expect(items.map((item) => (item._tag === 'Row' ? item.cells : item._tag))).toEqual(rows)
        let line = 2
        for (const [i, item] of items.entries()) {
          expect(item).toMatchObject({ line })
          line += (rows[i] ?? []).join('').split('\n').length
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('gzip', () => {
  test('told by its first bytes, several members too', async () => {
    const bytes = Buffer.concat([gzipSync('a,b\n1,2\n'), gzipSync('3,4\n')])
    expect(await read(bytes)).toEqual(['2: 1|2', '3: 3|4'])
  })

  test('cut short or damaged: a typed failure', async () => {
    const whole = gzipSync(`a,b\n${'1,2\n'.repeat(100_000)}`)
    const damaged = Buffer.from(whole)
    damaged.fill(0, 100, 108)
    for (const bytes of [whole.subarray(0, -20), damaged]) {
      expect((await read(bytes)).at(-1)).toBe('failed: corrupt_gzip')
    }
  })
})

describe('ndjson', () => {
  test('properties, inner properties, numbers digit for digit, null and absent', async () => {
    const lines = [
      '{"a":"x","b":1.10,"c":{"d":true}}',
      '',
      '{"b":12345678901234567890,"a":null}',
      '{"a":[1,{"z":2.50}],"b":"","c":7}',
    ]
    expect(await read(lines.join('\n'), NDJSON)).toEqual([
      '1: x|1.10|true',
      '3: |12345678901234567890|',
      '4: [1,{"z":2.5}]||',
    ])
  })

  test('bad lines leave their neighbours alone', async () => {
    const lines = [
      '{"a":1,"b":2}',
      'nonsense',
      '[1]',
      '{"a":1}',
      '{"__proto__":{"a":1,"b":2}}',
      '['.repeat(50_000),
    ]
    const long = `{"a":"${'x'.repeat(1_100_000)}","b":1}`
    const found = await read([...lines, long, '{"a":3,"b":4}'].join('\n'), NDJSON)
    expect(found).toEqual([
      '1: 1|2|',
      '2-2: not_json',
      '3-3: not_json',
      '4-4: missing_column',
      '5-5: missing_column',
      '6-6: not_json',
      '7-7: row_too_long',
      '8: 3|4|',
    ])
  })

  test('a line that is not UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":"'),
      Buffer.from([0xff]),
      Buffer.from('","b":1}\n{"a":1,"b":2}'),
    ])
    expect(await read(bytes, NDJSON)).toEqual(['1-1: invalid_utf8', '2: 1|2|'])
  })
})

test('no file, or a directory', async () => {
  for (const path of [files.path('absent'), files.directory]) {
    expect(E.isLeft(await openInput(path))).toBe(true)
  }
})
