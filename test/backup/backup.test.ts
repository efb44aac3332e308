/**
 * Theorem: a backup holds the whole log and every key that it needs, copies nothing twice, and is either whole or known not
 * to be.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { describe, expect, test } from 'vitest'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { backup, close, data, env, place, reopen, restore, storedSegments, world } from './backup-world.ts'
import { contents, digests, eventsOf, flip, openInstallation, run, WITHOUT_NATS } from './support.ts'

describe('what is copied', () => {
  test('sealed segments once; the log up to the last whole block; each time something is added', async () => {
    await world().add(300)
    const first = await backup()
    const segments = storedSegments()
    expect(segments.size).toBeGreaterThan(2)
    await world().add(300)
    const second = await backup()
    expect(second['log']?.['keptFiles']).toBe(segments.size)
    for (const [name, made] of segments) expect(storedSegments().get(name)).toBe(made)
    expect(Number(second['log']?.['copiedFiles'])).toBeLessThan(storedSegments().size)
    expect(second['log']?.['head']).toMatchObject({ position: 600 })
    expect(first['log']?.['head']).toMatchObject({ position: 300 })
    expect((await restore('restored')).code).toBe(0)
    await close()
    expect(await eventsOf(place('restored'))).toEqual(await eventsOf(data))
  })

  test('segments that were compressed since are copied once more, and restored as they are', async () => {
    await world().add(200)
    await backup()
    await close()
    await reopen('zstd')
    await world().add(200)
    await expect.poll(() => world().log.upkeepWaiting()).toBe(0)
    await backup()
    const stored = [...storedSegments().keys()]
    expect(stored.filter((name) => name.endsWith('.zst')).length).toBeGreaterThan(2)
    expect(new Set(stored.map((name) => name.slice(0, 20))).size).toBe(stored.length)
    expect((await run(['verify', '--backup', place('backup')], env())).code).toBe(0)
    expect((await restore('restored')).code).toBe(0)
    await close()
    expect(await eventsOf(place('restored'))).toEqual(await eventsOf(data))
  })

  test('a block that is being written is left out, and what was never finished says so', async () => {
    await world().add(20)
    await close()
    const [segment] = readdirSync(place('data/log')).filter((name) => name.endsWith('.hwl'))
    const path = place('data/log', segment ?? '')
    const whole = await eventsOf(data)
    await reopen()
    await world().add(1)
    await close()
    const grown = readFileSync(path)
    const end = grown.findLastIndex((byte) => byte !== 0)
    // The last bytes of the last block aren't there yet.
    grown.fill(0, end - 10)
    writeFileSync(path, grown)
    const { log } = await backup()
    expect(log?.['head']).toMatchObject({ position: whole.length })
    expect((await restore('restored')).code).toBe(0)
    expect(await eventsOf(place('restored'))).toEqual(whole)
  })

  test('nobody but the owner reads any of it; the master key is nowhere in it unless asked for', async () => {
    await world().add(10)
    await backup()
    const key = readFileSync(place('data/keys/master.key')).toString('latin1')
    const found = contents(place('backup'))
    expect(Object.values(found).filter((bytes) => bytes.includes(key))).toEqual([])
    for (const path of Object.keys(found)) expect(statSync(place('backup', path)).mode & 0o077, path).toBe(0)
    await run(['backup', '--keys', place('open'), '--with-master-key'], env())
    expect(Object.values(contents(place('open'))).filter((bytes) => bytes === key)).toHaveLength(1)
    const alone = await run([
      'restore',
      '--log',
      place('backup/log'),
      '--keys',
      place('open'),
      '--to',
      place('restored'),
    ])
    expect(alone).toMatchObject({ code: 0, err: '' })
  })

  test('a log that is another one, or has lost its end, is not backed up over a good backup', async () => {
    await world().add(10)
    await close()
    cpSync(data, place('earlier'), { recursive: true })
    await reopen()
    await world().add(10)
    await backup()
    const before = digests(place('backup/log'))
    for (const [other, why] of [
      ['earlier', 'the log has lost its end'],
      ['other', 'holds the backup of another log'],
    ] as const) {
      mkdirSync(place(other), { recursive: true })
      const opened = await openInstallation(place(other))
      if (other === 'other') await opened.add(30)
      await opened.close()
      const ran = await run(['backup', '--log', place('backup/log')], { HEADWATER_DATA: place(other) })
      expect(ran).toMatchObject({ code: 1, err: expect.stringContaining(why) })
    }
    expect(digests(place('backup/log'))).toEqual(before)
  })

  test('a damaged segment spoils no backup', async () => {
    await world().add(200)
    await backup()
    await world().add(200)
    const before = digests(place('backup/log'))
    const sealed = readdirSync(place('data/log'))
      .filter((name) => name.endsWith('.hwl'))
      .at(-2)
    flip(place('data/log', sealed ?? ''), 5_000)
    const ran = await run(['backup', place('backup')], env())
    expect(ran).toMatchObject({
      code: 1,
      err: expect.stringMatching(/segment \d+\.hwl is damaged at byte \d+/),
    })
    expect(digests(place('backup/log'))).toMatchObject(before)
    expect((await restore('restored')).code).toBe(0)
  })
})

describe('what is whole', () => {
  test('a backup that stopped before its end leaves the one before as it was; a first one is none', async () => {
    await world().add(50)
    mkdirSync(place('backup/log/manifest.json.new'), { recursive: true })
    expect((await run(['backup', place('backup'), '--log-only'], env())).code).toBe(1)
    await run(['backup', '--keys', place('backup/keys')], env())
    expect(await restore('none')).toMatchObject({
      code: 1,
      err: expect.stringContaining('holds no finished backup'),
    })
    expect((await run(['verify', '--backup', place('backup/log')])).out).toContain('holds no finished backup')
    rmSync(place('backup/log/manifest.json.new'), { recursive: true })
    await backup()
    await world().add(50)
    mkdirSync(place('backup/log/manifest.json.new'))
    expect((await run(['backup', place('backup'), '--log-only'], env())).code).toBe(1)
    expect((await restore('restored')).code).toBe(0)
    expect(await eventsOf(place('restored'))).toHaveLength(50)
  })

  test('every flipped bit is found, by verify and before a restore writes anything', async () => {
    await world().add(100)
    await backup()
    expect((await run(['verify', '--backup', place('backup')], env())).code).toBe(0)
    const paths = Object.keys(contents(place('backup')))
    expect(paths.length).toBeGreaterThan(5)
    for (const path of paths) {
      const file = place('backup', path)
      flip(file, Math.floor(statSync(file).size / 2))
      const verified = await run(['verify', '--backup', place('backup')], env())
      expect(verified, path).toMatchObject({ code: 1, out: expect.stringContaining('is damaged') })
      expect((await restore('restored')).code, path).toBe(1)
      expect(existsSync(place('restored')), path).toBe(false)
      flip(file, Math.floor(statSync(file).size / 2))
    }
    expect((await run(['verify', '--backup', place('backup')], env())).code).toBe(0)
  })

  test('an unfinished restore is opened by nobody; a restore writes over nothing', async () => {
    await world().add(10)
    await backup()
    mkdirSync(place('full'))
    writeFileSync(place('full/mine'), 'mine')
    expect(await restore('full')).toMatchObject({ code: 1, err: expect.stringContaining("isn't empty") })
    mkdirSync(place('cut'))
    writeFileSync(place('cut/FORMAT'), 'restoring\n')
    expect(await restore('cut')).toMatchObject({ code: 1, err: expect.stringContaining('never finished') })
    mkdirSync(place('cut/log'))
    expect(await run(['backup', place('of-cut')], { HEADWATER_DATA: place('cut') })).toMatchObject({
      code: 1,
      err: expect.stringContaining('never finished'),
    })
    const engine = new EngineProcess(await freePort(), place('cut'), WITHOUT_NATS)
    await expect(engine.start()).rejects.toThrow('holds a restore that was never finished')
  })
})
