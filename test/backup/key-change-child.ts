import { masterKeyFor } from '../../engine/privacy/master-key.ts'
import { rekey } from '../../engine/privacy/rekey.ts'
import { rotateHandedIn, rotateKeptKey } from '../../engine/privacy/rotate-master.ts'

/** A process that changes the keys of the store in argv[3] and is killed after the step in argv[4]. */
const [, , change, directory = '', fatal, newKey = ''] = process.argv
const options = {
  directory,
  onRows: () => undefined,
  onStep: (step: string) => {
    if (step === fatal) process.kill(process.pid, 'SIGKILL')
  },
}
const key = masterKeyFor(directory, undefined)
if (change === 'rekey') rekey({ ...options, masterKey: key })
else if (change === 'kept') rotateKeptKey({ ...options, oldKey: key })
else rotateHandedIn({ ...options, oldKey: key }, Buffer.from(newKey, 'hex'))
