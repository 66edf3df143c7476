# Two images from one build of the one binary:
#   assize   everything but pictures: workers, git-sync, dashboard, operator's commands. Needs no browser.
#   render   `assize render serve` with Chromium. Runs hostile JavaScript, so it gets no secrets and no network.

FROM node:20-bookworm-slim AS javascript
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM rust:1.95.0-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends clang cmake libssl-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
COPY --from=javascript /build/node_modules node_modules
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked -p assize --bin assize \
 && cp target/release/assize /usr/local/bin/assize

FROM debian:bookworm-slim AS base
RUN useradd --system --uid 10001 --create-home assize \
 && install -d -o assize -g assize /var/lib/assize
COPY --from=build /usr/local/bin/assize /usr/local/bin/assize
COPY LICENSE /usr/share/doc/assize/copyright
ENTRYPOINT ["assize"]

FROM base AS render
RUN apt-get update \
 && apt-get install -y --no-install-recommends chromium fonts-dejavu-core libssl3 tini \
 && rm -rf /var/lib/apt/lists/*
USER assize
# A browser leaves children behind when it crashes: tini collects them.
ENTRYPOINT ["tini", "--", "assize"]
CMD ["render", "serve"]

FROM base AS assize
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git libssl3 openssh-client \
 && rm -rf /var/lib/apt/lists/*
USER assize
