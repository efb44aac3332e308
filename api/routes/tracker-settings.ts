/**
 * What Segment's CDN answers to `GET /v1/projects/:key/settings`, reduced to sending events here: no other destination, no
 * remote plugin and no metric of the tracker's own is named, so a page loads and calls nothing else.
 *
 * `host` and `protocol` are those that the page reached us by; analytics.js posts to `<protocol>://<apiHost>/t` and so on.
 */
export function trackerSettings(
  key: string,
  protocol: string,
  host: string,
): Readonly<Record<string, unknown>> {
  return {
    integrations: {
      'Segment.io': {
        apiKey: key,
        apiHost: `${host}/v1`,
        protocol,
        unbundledIntegrations: [],
        addBundledMetadata: false,
        maybeBundledConfigIds: {},
        versionSettings: { version: '4.4.7', componentTypes: ['browser'] },
      },
    },
    plan: {
      track: { __default: { enabled: true, integrations: {} } },
      identify: { __default: { enabled: true } },
      group: { __default: { enabled: true } },
    },
    edgeFunction: {},
    analyticsNextEnabled: true,
    middlewareSettings: {},
    enabledMiddleware: {},
    metrics: { sampleRate: 0 },
    legacyVideoPluginsEnabled: false,
    remotePlugins: [],
  }
}
