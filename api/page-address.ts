/** An address that listens on every interface, as one that can be called: a Host of `[::]` is nobody's name. */
export function callable(address: string): string {
  return address.replace('//[::]:', '//[::1]:')
}

/**
 * Address of the page with what opens it behind the `#`: browsers send that part nowhere, and the page takes it out of
 * the address at once.
 */
export function pageAddress(
  url: string,
  { readToken, writeKey }: { readonly readToken: string; readonly writeKey?: string | undefined },
): string {
  const secrets = new URLSearchParams({
    token: readToken,
    ...(writeKey === undefined ? {} : { key: writeKey }),
  })
  return `${url}/#${secrets}`
}
