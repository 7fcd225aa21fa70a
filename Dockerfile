# apisix-prestop: one static binary and nothing else.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN make rootfs

FROM scratch
COPY --from=build /src/target/rootfs/ /
# glibc raises this threshold with each large body that it frees, and keeps more of the next ones.
ENV GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072
USER 65532:65532
EXPOSE 10250 8080
ENTRYPOINT ["/apisix-prestop"]
CMD ["serve"]
