// Run inside the page: what a reader with weak eyes, a keyboard or a small window would complain about. The value of this
// script is a list of complaints.
;(() => {
  const AA = 4.5
  const AA_LARGE = 3
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })

  /** Any CSS colour as sRGB 0–255 and alpha 0–1: the browser itself converts it. */
  function rgba(colour) {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = colour
    canvas.fillRect(0, 0, 1, 1)
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data
    return { channels: [red, green, blue], alpha: alpha / 255 }
  }

  function over(front, back) {
    return front.channels.map((channel, index) => channel * front.alpha + back[index] * (1 - front.alpha))
  }

  /** WCAG 2.2, relative luminance. */
  function luminance(channels) {
    const [red, green, blue] = channels.map((channel) => {
      const share = channel / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }

  function contrast(one, other) {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a)
    return (light + 0.05) / (dark + 0.05)
  }

  function backgroundOf(element) {
    const layers = []
    for (let at = element; at !== null; at = at.parentElement) {
      const layer = rgba(getComputedStyle(at).backgroundColor)
      layers.unshift(layer)
      if (layer.alpha === 1) break
    }
    return layers.reduce((back, layer) => over(layer, back), [255, 255, 255])
  }

  function isShown(element) {
    const { width, height } = element.getBoundingClientRect()
    return width > 1 && height > 1 && element.checkVisibility({ visibilityProperty: true })
  }

  const complaints = []
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement
    const text = texts.currentNode.textContent.trim()
    if (text === '' || !isShown(element)) continue
    const style = getComputedStyle(element)
    const size = Number.parseFloat(style.fontSize)
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
    const background = backgroundOf(element)
    const ratio = contrast(over(rgba(style.color), background), background)
    if (ratio < (large ? AA_LARGE : AA)) complaints.push(`contrast ${ratio.toFixed(2)}: ${text.slice(0, 40)}`)
  }

  const overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth
  if (overflow > 0) complaints.push(`wider than the window by ${overflow} px`)

  if (document.querySelectorAll('main h1').length !== 1) complaints.push('not exactly one h1 in main')
  for (const landmark of ['header', 'main', 'footer', 'nav']) {
    if (document.querySelector(landmark) === null) complaints.push(`no ${landmark}`)
  }
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) complaints.push(`two of #${id}`)
  for (const reference of document.querySelectorAll('[aria-controls]')) {
    const id = reference.getAttribute('aria-controls')
    if (document.getElementById(id) === null) complaints.push(`aria-controls names no #${id}`)
  }
  for (const field of document.querySelectorAll('input')) {
    if (field.labels.length === 0) complaints.push(`an input without a label: #${field.id}`)
  }
  for (const control of document.querySelectorAll('a, button, summary')) {
    const name = control.getAttribute('aria-label') ?? control.textContent
    if (name.trim() === '') complaints.push(`a nameless ${control.tagName.toLowerCase()}`)
  }
  return complaints
})()
