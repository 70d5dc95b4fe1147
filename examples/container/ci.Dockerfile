# An image for the jobs of a pipeline: the program, git, Python, and a shell, which the image of a release does not have.
# It takes the program from that image, or from one that the Dockerfile here made, and nothing from this folder:
#
#   docker build --build-arg PROGRAM=registry.example/ess-callbacks:0.2.0 \
#     -t registry.example/ess-callbacks-ci:0.2.0 - < examples/container/ci.Dockerfile
ARG PROGRAM=registry.example/ess-callbacks:0.2.0
FROM ${PROGRAM} AS program

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=program /usr/local/bin/ess-callbacks /usr/local/bin/ess-callbacks
# A runner starts a shell in it.
ENTRYPOINT []
