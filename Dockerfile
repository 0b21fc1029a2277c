# Skein runs its TypeScript sources directly on Node 24: the image is Node, the production packages and the sources.
# The kernels' AssemblyScript is compiled in a stage of its own, whose packages stay there.
FROM node:24-bookworm-slim AS kernels
WORKDIR /skein
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY src/kernels/assembly src/kernels/assembly
COPY tools/kernels.js tools/kernels.js
RUN node tools/kernels.js && test -f build/kernels.wasm

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /skein
COPY package.json package-lock.json .npmrc ./
# Native parts (CRC32C) are optional packages and needed; the Node that npm carries for older machines is not: the image has its own.
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/node-linux-* && npm cache clean --force
COPY bin bin
COPY src src
COPY --from=kernels /skein/build build
# Compiles once for every container: the user below may not write here.
RUN node bin/skein.js version
RUN mkdir /data && chown node /data
USER node
VOLUME /data
EXPOSE 9095
# Ready means: every actor of the process is ready and, in a cluster, NATS is connected.
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["node", "-e", "fetch('http://127.0.0.1:9095/-/ready').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/skein.js"]
CMD ["serve", "--listen", "0.0.0.0:9095", "--data", "/data"]
