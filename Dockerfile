# Skein runs its TypeScript sources directly on Node 24: the image is Node, the production packages and the sources.
FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /skein
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY bin bin
COPY src src
RUN mkdir /data && chown node /data
USER node
VOLUME /data
EXPOSE 9095
ENTRYPOINT ["node", "bin/skein.js"]
CMD ["serve", "--listen", "0.0.0.0:9095", "--data", "/data"]
