import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as E from 'fp-ts/lib/Either.js'
import type { Configuration } from '../configuration.ts'

/** What a server over TLS shows and asks for, in PEM. */
export interface Tls {
  readonly certificate: Buffer
  readonly key: Buffer
  /** Nobody connects without a certificate that this authority signed, which gives no right by itself. */
  readonly clientCa?: Buffer | undefined
}

type Settings = Pick<Configuration, 'esdbTlsCert' | 'esdbTlsKey' | 'esdbTlsClientCa'>

/**
 * undefined: none is named. Left: a sentence that names the setting. They are tried here, since the server itself would say of a wrong
 * one that its port can't be listened on, or let nobody in.
 */
export function readTls({
  esdbTlsCert,
  esdbTlsKey,
  esdbTlsClientCa,
}: Settings): E.Either<string, Tls | undefined> {
  if (esdbTlsCert === undefined && esdbTlsKey === undefined)
    return esdbTlsClientCa === undefined
      ? E.right(undefined)
      : E.left('HEADWATER_ESDB_TLS_CLIENT_CA needs HEADWATER_ESDB_TLS_CERT and HEADWATER_ESDB_TLS_KEY')
  if (esdbTlsCert === undefined || esdbTlsKey === undefined)
    return E.left('HEADWATER_ESDB_TLS_CERT and HEADWATER_ESDB_TLS_KEY belong together')
  const certificate = read('HEADWATER_ESDB_TLS_CERT', esdbTlsCert, isCertificate)
  if (E.isLeft(certificate)) return certificate
  const isItsKey = (pem: Buffer): boolean =>
    new X509Certificate(certificate.right).checkPrivateKey(createPrivateKey(pem))
  const key = read('HEADWATER_ESDB_TLS_KEY', esdbTlsKey, isItsKey)
  if (E.isLeft(key)) return key
  const own = { certificate: certificate.right, key: key.right }
  if (esdbTlsClientCa === undefined) return E.right(own)
  const clientCa = read('HEADWATER_ESDB_TLS_CLIENT_CA', esdbTlsClientCa, isCertificate)
  return E.isLeft(clientCa) ? clientCa : E.right({ ...own, clientCa: clientCa.right })
}

function isCertificate(pem: Buffer): boolean {
  return new X509Certificate(pem).raw.length > 0
}

function read(setting: string, path: string, isRight: (pem: Buffer) => boolean): E.Either<string, Buffer> {
  let pem: Buffer
  try {
    pem = readFileSync(path)
  } catch {
    return E.left(`${setting}: ${path} can't be read`)
  }
  try {
    if (isRight(pem)) return E.right(pem)
    return E.left(`${setting}: ${path} is not the key of HEADWATER_ESDB_TLS_CERT`)
  } catch {
    return E.left(`${setting}: ${path} holds no certificate or key in PEM that can be used`)
  }
}
