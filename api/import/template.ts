/**
 * Templates: `{Column}` is the cell's text, `{#hash}` and `{#occurrence}` are made by the importer, `{{` and `}}` are
 * braces. Pure text; what a name refers to is the caller's to say.
 */
export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'column'; readonly column: string }
  | { readonly kind: 'hash' }
  | { readonly kind: 'occurrence' }

type ParsedTemplate =
  | { readonly _tag: 'Template'; readonly parts: readonly TemplatePart[] }
  | { readonly _tag: 'BadTemplate'; readonly message: string }

const TOKEN = /\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+/g

export function parseTemplate(text: string): ParsedTemplate {
  const parts: TemplatePart[] = []
  for (const [token, name] of text.matchAll(TOKEN)) {
    if (token === '{{' || token === '}}') parts.push({ kind: 'text', text: token.charAt(0) })
    else if (name !== undefined) {
      const part = placeholder(name)
      if (part === undefined) return { _tag: 'BadTemplate', message: `knows no placeholder {${name}}` }
      parts.push(part)
    } else if (token === '{' || token === '}') {
      return { _tag: 'BadTemplate', message: `has a lone ${token}; write ${token}${token} for the character` }
    } else parts.push({ kind: 'text', text: token })
  }
  return { _tag: 'Template', parts }
}

function placeholder(name: string): TemplatePart | undefined {
  if (name === '#hash') return { kind: 'hash' }
  if (name === '#occurrence') return { kind: 'occurrence' }
  return name === '' || name.startsWith('#') ? undefined : { kind: 'column', column: name }
}
