import { expect } from 'vitest'

/** What holds of every OpenAPI document that the api gives out. */

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
}
export interface Operation {
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly security: readonly object[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> }
  readonly responses: Readonly<
    Record<string, { description: string; content?: Readonly<Record<string, unknown>> }>
  >
}
export interface OpenApiDocument {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, unknown>>
    readonly securitySchemes: Readonly<Record<string, unknown>>
  }
}

export function operationsOf(
  document: OpenApiDocument,
): readonly (readonly [path: string, method: string, operation: Operation])[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [path, method, operation] as const),
  )
}

export function expectKnownReferences(document: OpenApiDocument): void {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(
    ([, reference]) => reference ?? '',
  )
  expect(references.length).toBeGreaterThan(20)
  for (const reference of new Set(references)) {
    expect(reference).toMatch(/^#\/components\/schemas\//)
    const name = reference.slice('#/components/schemas/'.length)
    expect(Object.hasOwn(document.components.schemas, name), reference).toBe(true)
  }
}

export function expectWholeOperations(document: OpenApiDocument): void {
  for (const [path, method, operation] of operationsOf(document)) {
    const where = `${method} ${path}`
    expect(operation.summary, where).toBeTruthy()
    expect(operation.tags, where).toHaveLength(1)
    for (const requirement of operation.security) {
      for (const scheme of Object.keys(requirement))
        expect(document.components.securitySchemes).toHaveProperty(scheme)
    }
    const parameters = operation.parameters ?? []
    expect(new Set(parameters.map(({ name, in: place }) => `${place} ${name}`)).size, where).toBe(
      parameters.length,
    )
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const declared = parameters.filter((parameter) => parameter.in === 'path')
    expect(
      declared.map(({ name }) => name),
      where,
    ).toEqual(inPath)
    expect(
      declared.every(({ required }) => required === true),
      where,
    ).toBe(true)
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(status, where).toMatch(/^[2-5]\d\d$/)
      expect(response.description, where).toBeTruthy()
      const problem = Number(status) >= 400 && !(path === '/readyz' && status === '503')
      if (problem) expect(Object.keys(response.content ?? {}), where).toEqual(['application/problem+json'])
    }
  }
}
