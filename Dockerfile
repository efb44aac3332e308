# The engine as a container: Node, the production packages, and the sources, which Node runs as they are.
# Alone:  docker build -t headwater . && docker run -p 127.0.0.1:7070:7070 -v headwater:/data headwater
# With NATS, Prometheus and Grafana: docker-compose.yml

# The same release as the npm package "node" in package.json, which the image then doesn't need.
FROM node:26.10.0-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Not "npm ci": the lock file may lack other platforms' optional binaries. No package needs its install script here.
RUN npm install --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:26.10.0-slim
WORKDIR /app
ENV NODE_ENV=production \
    HEADWATER_DATA=/data \
    HEADWATER_HOST=0.0.0.0
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY engine ./engine
COPY projections ./projections
COPY api ./api
RUN mkdir -m 700 /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 7070
# A start verifies the log, two to three seconds per million events, before it listens.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["node", "api/deploy/healthcheck.mjs"]
STOPSIGNAL SIGTERM
CMD ["node", "api/headwater.mjs", "start"]
