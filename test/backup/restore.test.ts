/**
 * Theorem: what can't be restored safely is refused with what would be lost; and no restore knows anybody again who was
 * erased.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../engine/clock.ts'
import { openQuarantine } from '../../engine/intake/quarantine.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { backup, close, data, env, idsOf, knows, place, restore, world } from './backup-world.ts'
import { masterKeyText, openInstallation, run } from './support.ts'

const DAY_MS = 86_400_000

describe('what is safe', () => {
  test('keys that are older than the log are refused, with what would be lost; the other way round is fine', async () => {
    await world().add(10, 'early')
    await backup('--keys-only')
    await world().add(20, 'late')
    await backup('--log-only')
    const refused = await restore('restored')
    expect(refused).toMatchObject({
      code: 1,
      err: expect.stringContaining('copied when it stood at position 10, it goes up to 30'),
    })
    expect((await run(['verify', '--backup', place('backup')], env())).code).toBe(1)
    expect(await restore('forced', '--force')).toMatchObject({
      code: 0,
      out: expect.stringContaining('forced: the keys are older'),
    })
    await backup('--keys-only')
    await world().add(10)
    expect(await restore('restored')).toMatchObject({ code: 0, err: '' })
  })

  test('expired keys are refused and pruned; those of another log are never taken', async () => {
    await world().add(10)
    await backup('--expires-days', '3')
    const later = () => systemClock.nowMs() + 4 * DAY_MS
    const args = [
      'restore',
      '--log',
      place('backup/log'),
      '--keys',
      place('backup/keys'),
      '--to',
      place('restored'),
    ]
    expect(await run(args, env(), later)).toMatchObject({
      code: 1,
      err: expect.stringContaining('expired at'),
    })
    expect((await run(['backup', 'prune', place('backup/keys')])).out).toBe('nothing has expired')
    expect((await run(['backup', 'prune', place('backup/keys')], {}, later)).out).toContain('deleted')
    expect(readdirSync(place('backup/keys')).filter((name) => name.startsWith('keys-'))).toEqual([])
    await run(['backup', '--log', place('log')], env())
    mkdirSync(place('other'))
    const other = await openInstallation(place('other'))
    await other.add(40)
    await run(['backup', '--keys', place('others-keys')], { HEADWATER_DATA: place('other') })
    await other.close()
    const mixed = [
      'restore',
      '--log',
      place('log'),
      '--keys',
      place('others-keys'),
      '--to',
      place('restored'),
      '--force',
    ]
    expect(await run(mixed, env())).toMatchObject({
      code: 1,
      err: expect.stringContaining('belong to another log'),
    })
  })

  test('a wrong master key, places that lie in each other, and a manifest that leads elsewhere are refused', async () => {
    await world().add(10)
    await backup()
    const wrong = { HEADWATER_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') }
    const args = [
      'restore',
      '--log',
      place('backup/log'),
      '--keys',
      place('backup/keys'),
      '--to',
      place('restored'),
    ]
    expect(await run(args, wrong)).toMatchObject({
      code: 1,
      err: expect.stringContaining("isn't the master key"),
    })
    expect((await run(['backup', '--log', place('data/backup')], env())).code).toBe(1)
    symlinkSync(place('data'), place('link'))
    expect((await run(['backup', '--log', place('link/backup')], env())).code).toBe(1)
    expect((await run(['backup', '--log', place('b'), '--keys', place('b/keys')], env())).code).toBe(1)
    const manifest = place('backup/log/manifest.json')
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"log/', '"../../'))
    expect(await restore('restored')).toMatchObject({ code: 1, err: expect.stringContaining('is damaged') })
  })
})

describe('who was erased', () => {
  const EMAIL = 'erased5@mail.example'

  beforeEach(async () => {
    await world().add(60, 'erased')
    await world().send({
      source: 'web',
      id: 'bad',
      type: 'cdp.identify',
      data: { userId: {}, traits: { email: EMAIL } },
    })
  })

  async function quarantined(directory: string): Promise<number> {
    const store = openKeyStore(join(directory, 'keys'), {
      clock: systemClock,
      create: false,
      masterKey: Buffer.from(masterKeyText(data), 'base64'),
    })
    const quarantine = openQuarantine(join(directory, 'quarantine'), store, systemClock)
    const { length } = quarantine.list({ limit: 10 })
    await quarantine.close()
    await store.close()
    return length
  }

  test('is not known again by keys from before, where the log names them', async () => {
    await backup('--keys-only')
    await world().sayErased(idsOf('erased5'))
    await backup('--log-only')
    expect(await restore('restored', '--force')).toMatchObject({
      code: 0,
      out: expect.stringContaining('2 were forgotten again'),
    })
    expect(await knows(place('restored'), EMAIL)).toEqual({ known: false, suppressed: true })
    expect(await knows(place('restored'), 'erased4@mail.example')).toEqual({ known: true, suppressed: false })
    expect(await quarantined(place('restored'))).toBe(0)
  })

  test('nor where only a newer log, its backup, or a certificate does', async () => {
    await backup()
    const ids = idsOf('erased5')
    await world().sayErased(ids)
    await run(['backup', '--log', place('newer')], env())
    writeFileSync(
      place('certificate.json'),
      JSON.stringify({ identities: ids.map((id) => ({ id, namespace: 'user' })) }),
    )
    expect((await restore('without')).code).toBe(0)
    expect((await knows(place('without'), EMAIL)).known).toBe(true)
    expect(await quarantined(place('without'))).toBe(1)
    for (const source of ['data', 'newer', 'certificate.json']) {
      expect(await restore(`with-${source}`, '--erasures', place(source))).toMatchObject({ code: 0, err: '' })
      expect(await knows(place(`with-${source}`), EMAIL)).toEqual({ known: false, suppressed: true })
      expect(await quarantined(place(`with-${source}`))).toBe(0)
    }
    expect((await restore('bad', '--erasures', place('nothing'))).code).toBe(1)
  })

  test('and a key that was destroyed between log and keys is neither missed nor mourned', async () => {
    await backup('--log-only')
    await world().keyStore.destroyOwner(idsOf('erased5'))
    await backup('--keys-only')
    expect(await restore('restored')).toMatchObject({
      code: 0,
      out: expect.stringContaining('right if those people were erased'),
    })
    expect(await knows(place('restored'), EMAIL)).toEqual({ known: false, suppressed: true })
    // Nobody can tell any more which refused events name them.
    expect(await quarantined(place('restored'))).toBe(0)
  })

  test('nor is one who only took part in what is about others', async () => {
    const [other, email] = ['erased4@mail.example', EMAIL]
    const data = {
      activity_id: 'A-1',
      kind: 'meeting',
      email: other,
      participants: [{ email, name: 'Xylo' }],
    }
    await world().send({ source: 'crm', id: 'm', type: 'activity.logged', data })
    await world().sayErased(idsOf('erased5'))
    await world().keyStore.destroyOwner(idsOf('erased5'))
    await backup()
    expect(await run(['verify'], env())).toMatchObject({ code: 0 })
    expect(await restore('restored')).toMatchObject({ code: 0 })
  })

  test('but a key that is lost is missed, and the restore that finds it leaves nothing behind', async () => {
    await backup('--log-only')
    const [user = ''] = idsOf('erased4')
    await close()
    const keys = new DatabaseSync(place('data/keys/keys.sqlite'))
    keys.prepare('DELETE FROM data_key WHERE owner = ?').run(Buffer.from(user, 'hex'))
    keys.close()
    await backup('--keys-only')
    for (const to of ['new', 'empty']) {
      if (to === 'empty') mkdirSync(place(to))
      expect(await restore(to)).toMatchObject({ code: 1, err: expect.stringContaining('nobody was erased') })
    }
    expect(existsSync(place('new'))).toBe(false)
    expect(readdirSync(place('empty'))).toEqual([])
    expect((await restore('empty', '--force')).code).toBe(0)
  })
})
