/**
 * Theorem: a deal stands where its newest step left it. Winning and losing beat what else was written at their instant,
 * later steps reopen, probability and forecast follow the stage unless somebody said otherwise of that very stage, and
 * the pipeline shows the deals that aren't archived.
 */
import { describe, expect, test } from 'vitest'
import { opportunity } from '../../projections/crm/opportunity.ts'
import { pipeline } from '../../projections/crm/pipeline.ts'
import { configuration, event, idOf, ms, onlyRow, rows, type Stated } from './given.ts'

const deal = (type: string, data: Record<string, unknown>, stated?: Stated) =>
  event(`opportunity.${type}`, { opportunity_id: 'O1', ...data }, stated)

const T1 = { at: '2026-03-01T10:00:00Z' }
const T2 = { at: '2026-03-02T10:00:00Z' }
const T3 = { at: '2026-03-03T10:00:00Z' }

const created = deal(
  'created',
  {
    name: 'Cogs',
    account_id: 'A1',
    contact_id: 'C1',
    owner: 'moses',
    product: 'GTX Pro',
    stage: 'Value Proposition',
    amount: '5482.10',
    currency: 'usd',
    close_date: '2026-06-30',
  },
  T1,
)

describe('opportunity', () => {
  test('a created deal takes probability and forecast from its stage, known by id or label', () => {
    expect(onlyRow(opportunity, [created])).toEqual({
      opportunity_id: 'O1',
      name: 'Cogs',
      account: idOf({ namespace: 'account', value: 'A1' }),
      contact: idOf({ namespace: 'contact', value: 'C1' }),
      owner: 'moses',
      product: 'GTX Pro',
      stage: 'value_proposition',
      stage_label: 'Value Proposition',
      status: 'open',
      amount: 54_821_000,
      forecast_amount: 54_821_000,
      currency: 'USD',
      close_date: '2026-06-30',
      probability: 50,
      forecast_category: 'pipeline',
      archived: false,
      created_at: ms(T1.at),
      updated_at: ms(T1.at),
    })
  })

  test('won: the day stated with it, else the day it happened; whatever order the files came in', () => {
    const dated = deal('won', { close_date: '2026-03-05', amount: 6000, reason: 'price' }, T2)
    expect(onlyRow(opportunity, [dated, created])).toMatchObject({
      stage: 'closed_won',
      status: 'won',
      amount: 60_000_000,
      closed_on: '2026-03-05',
      probability: 100,
      forecast_category: 'closed',
      reason: 'price',
    })
    expect(onlyRow(opportunity, [created, deal('won', {}, T2)])).toMatchObject({ closed_on: '2026-03-02' })
  })

  test('closing beats an update of its instant, unless the sender put the update behind it', () => {
    const lost = deal('lost', { reason: 'no budget' }, { ...T2, sequence: 1 })
    const before = deal('updated', { stage: 'negotiation' }, { ...T2, id: 'zzz' })
    const after = deal('updated', { stage: 'negotiation' }, { ...T2, sequence: 2 })
    expect(onlyRow(opportunity, [created, lost, before])).toMatchObject({
      status: 'lost',
      stage: 'closed_lost',
      probability: 0,
      forecast_category: 'omitted',
      reason: 'no budget',
    })
    const reopened = onlyRow(opportunity, [created, lost, after])
    expect(reopened).toMatchObject({ status: 'open', stage: 'negotiation', probability: 90 })
    expect(reopened).not.toHaveProperty('closed_on')
    expect(reopened).not.toHaveProperty('reason')
  })

  test('restating the closed stage later moves neither the day nor the status', () => {
    const again = deal('updated', { stage: 'Closed Won', owner: 'darcel' }, T3)
    expect(onlyRow(opportunity, [created, deal('won', {}, T2), again])).toMatchObject({
      status: 'won',
      closed_on: '2026-03-02',
      owner: 'darcel',
    })
  })

  test('a stage that counts as closed closes the deal without an event of its own', () => {
    const moved = deal('stage_changed', { from: 'negotiation', to: 'closed_lost' }, T2)
    expect(onlyRow(opportunity, [created, moved])).toMatchObject({ status: 'lost', closed_on: '2026-03-02' })
  })

  test('what was said of another stage is forgotten, an override holds until lifted or closed', () => {
    const said = deal('updated', { probability: 65, forecast_category: 'best_case' }, T1)
    expect(onlyRow(opportunity, [created, said])).toMatchObject({
      probability: 65,
      forecast_category: 'best_case',
    })
    const moved = deal('stage_changed', { to: 'qualification' }, T2)
    expect(onlyRow(opportunity, [created, said, moved])).toMatchObject({
      probability: 10,
      forecast_category: 'pipeline',
    })
    const overridden = deal('forecast_overridden', { forecast_category: 'commit', amount: 4000 }, T1)
    expect(onlyRow(opportunity, [created, moved, overridden])).toMatchObject({
      forecast_category: 'commit',
      forecast_amount: 40_000_000,
      amount: 54_821_000,
    })
    const lifted = deal('forecast_overridden', { forecast_category: null, amount: null }, T3)
    expect(onlyRow(opportunity, [created, moved, overridden, lifted])).toMatchObject({
      forecast_category: 'pipeline',
      forecast_amount: 54_821_000,
    })
    expect(onlyRow(opportunity, [created, overridden, deal('won', {}, T2)])).toMatchObject({
      forecast_category: 'closed',
      forecast_amount: 54_821_000,
    })
  })

  test('published stages prevail; an unknown stage is shown as sent', () => {
    const stages = [
      { id: 'engaging', label: 'Engaging', probability: 35, forecast_category: 'best_case' },
      { id: 'signed', label: 'Signed', probability: 100, forecast_category: 'closed', closed: 'won' },
    ]
    const config = configuration(event('stages.published', { stages }))
    const engaging = deal('created', { stage: 'Engaging' }, T1)
    expect(onlyRow(opportunity, [engaging], config)).toMatchObject({ stage: 'engaging', probability: 35 })
    expect(onlyRow(opportunity, [engaging, deal('won', {}, T2)], config)).toMatchObject({
      stage: 'signed',
      status: 'won',
    })
    const unknown = onlyRow(opportunity, [engaging])
    expect(unknown).toMatchObject({ stage: 'Engaging', stage_label: 'Engaging', status: 'open' })
    expect(unknown).not.toHaveProperty('probability')
  })

  test('null removes, a blank amount is no amount, an update without an account keeps it', () => {
    const update = deal('updated', { owner: null, amount: '', contact_id: null }, T2)
    const row = onlyRow(opportunity, [created, update])
    expect(row).toMatchObject({ account: idOf({ namespace: 'account', value: 'A1' }) })
    for (const column of ['owner', 'amount', 'contact']) expect(row).not.toHaveProperty(column)
  })

  test('of two writes at one instant the more trusted source wins', () => {
    const crm = deal('updated', { owner: 'darcel' }, { ...T2, source: 'crm', id: 'a' })
    const sheet = deal('updated', { owner: 'vicki' }, { ...T2, source: 'sheet', id: 'b' })
    const ranked = (first: string, second: string) =>
      configuration(
        event('source.registered', { source: first, priority: 1 }),
        event('source.registered', { source: second, priority: 2 }),
      )
    expect(onlyRow(opportunity, [crm, sheet], ranked('crm', 'sheet'))).toMatchObject({ owner: 'darcel' })
    expect(onlyRow(opportunity, [crm, sheet], ranked('sheet', 'crm'))).toMatchObject({ owner: 'vicki' })
  })

  test('explains where the deal stands by the write that brought it there', () => {
    const won = deal('won', {}, { ...T2, id: 'the-signature' })
    const states = [created, won].reduce(
      (state, each) => opportunity.reduce(state, each as never, configuration(), 'O1'),
      opportunity.initial('O1'),
    )
    const explained = opportunity.explain?.(states, configuration())
    expect(explained?.stage).toMatchObject({ value: 'closed_won', winners: [{ 4: 'the-signature' }] })
    expect(explained?.probability).toMatchObject({ value: 100, rule: 'stage_default' })
    expect(explained).not.toHaveProperty('outcome')
  })
})

describe('pipeline', () => {
  test('weights the amount by the probability, in whole ten-thousandths', () => {
    expect(onlyRow(pipeline, [created])).toMatchObject({
      stage: 'value_proposition',
      stage_position: 3,
      owner: 'moses',
      status: 'open',
      amount: 54_821_000,
      weighted: 27_410_500,
    })
  })

  test('leaves archived deals out until they are created again', () => {
    const archived = deal('archived', {}, T2)
    expect(rows(pipeline, [archived, created])).toEqual([])
    expect(onlyRow(opportunity, [created, archived])).toMatchObject({ archived: true })
    expect(rows(pipeline, [created, archived, deal('created', { stage: 'proposal' }, T3)])).toHaveLength(1)
  })
})
