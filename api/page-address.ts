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
