import { dramaPhone } from './people.ts'

/** Who plays in the story. */

export const MARA = 'mara@example.com'
export const OTTO = 'otto@example.com'
export const TABLET = 'tablet-at-the-fair'

/** Her numbers in international form: at sign-up, in the contract, and after she moved. */
export const PHONES = {
  first: dramaPhone(0) ?? '',
  billing: dramaPhone(1) ?? '',
  web: dramaPhone(2) ?? '',
} as const
