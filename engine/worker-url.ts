/** A worker's file beside `from`: the source in a checkout, the compiled one in the package. */
export function workerUrl(name: string, from: string): URL {
  return new URL(`./${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from)
}
