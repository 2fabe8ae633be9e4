# The project with its environment; docs/containers.md says more.
#   docker build -t fusebench .                                for a processor
#   docker build -t fusebench-cuda --build-arg DEVICE=cuda .   for NVIDIA's GPUs
#   … --build-arg LOCK=requirements-extras.txt                 with S3, ssh, trackers, …
#   … --build-arg USER_ID=$(id -u)                             for a checkout of yours, mounted
FROM python:3.11.14-slim-bookworm AS tools

# Of these, any version that Debian has will do; it keeps no old ones to pin. Git asks for the last
# two: ssh for its remotes, less to show a log.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make openssh-client less \
    && rm -rf /var/lib/apt/lists/*

# Files in a mounted folder belong to the user of this number.
ARG USER_ID=1000
RUN useradd --create-home --uid "$USER_ID" fusebench \
    && install --directory --owner=fusebench /project /opt/venv
USER $USER_ID
WORKDIR /project
# A cache in the container, beside what is installed from it, would only take room.
ENV UV_NO_CACHE=1

FROM tools AS project
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV PATH="/opt/venv/bin:$PATH"

# Outside the project's folder, so that a checkout may be mounted there.
COPY --chown=fusebench requirements.txt requirements-extras.txt requirements-setup.txt ./
RUN python -m venv /opt/venv \
    && ln -s /opt/venv .venv \
    && pip install --quiet --no-cache-dir --require-hashes -r requirements-setup.txt

# The lock pins the torch that brings NVIDIA's libraries. For a processor, all else comes from the
# lock with its hashes, and torch and torchvision come from torch's own index: the locked versions,
# but WITHOUT A HASH, since the lock knows only those of the package index.
ARG DEVICE=cpu
ARG LOCK=requirements.txt
RUN case "$DEVICE" in \
    cuda) uv pip install --quiet --python /opt/venv --compile-bytecode --require-hashes -r "$LOCK" ;; \
    cpu) awk '/^[a-z]/ { kept = !/^(torch|torchvision|triton)==|^(nvidia|cuda)-/ } kept' "$LOCK" > /tmp/others.txt \
        && uv pip install --quiet --python /opt/venv --compile-bytecode --no-deps --require-hashes -r /tmp/others.txt \
        && grep -oE '^(torch|torchvision)==[^ ]+' "$LOCK" \
            | xargs uv pip install --quiet --python /opt/venv --compile-bytecode --no-deps --torch-backend cpu ;; \
    *) echo "error: DEVICE=$DEVICE: must be cpu or cuda" >&2; exit 1 ;; \
    esac

# With .git, which DVC needs and results name their commit by.
COPY --chown=fusebench . .
# Newer than the locks, which have the age of the checkout: make has nothing left to install.
RUN touch .venv/bin/.runs && if test "$LOCK" = requirements-extras.txt; then touch .venv/bin/.extras; fi
# Results take the place of folders, and the file systems of images move no folder of an image.
VOLUME /project
CMD ["make", "help"]
