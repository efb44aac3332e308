/** Why a backup, a restore or a verification can't be done: a whole sentence that says what to do. Nothing was spoilt. */
export class BackupRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'BackupRefused'
  }
}
