# What the examples share, to be sourced by a POSIX shell that stands in the project's folder.
# Sets `out`, the folder where examples are built, and, by build_nncc, `NNCC`, the compiler.

out=build-examples

# run COMMAND ARG...: shows the command, then runs it
run() {
    printf '$ %s\n' "$*"
    "$@"
}

# install_missing PACKAGE...: installs those Debian packages that are not there
install_missing() {
    command -v dpkg-query >/dev/null || {
        echo "not a Debian system: the packages $* are taken to be installed"
        return
    }
    missing=
    for package; do
        case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
        esac
    done
    if [ -z "$missing" ]; then
        echo "nothing to install"
        return
    fi
    echo "installing:$missing"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null; then
        as_root='sudo'
    else
        echo "this needs root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    mkdir -p "$out"
    # shellcheck disable=SC2086  # the list is meant to split
    { $as_root apt-get update &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
    } >"$out/apt.log" 2>&1 || {
        tail -n 20 "$out/apt.log" >&2
        echo "installing failed; the whole log is $out/apt.log" >&2
        exit 1
    }
}

# build_nncc: installs a C compiler and builds nncc in a folder of its own, unless NNCC names one
build_nncc() {
    if [ -n "${NNCC:-}" ]; then
        echo "using $NNCC"
        install_missing gcc libc6-dev
        return
    fi
    install_missing gcc libc6-dev cmake ninja-build pkg-config libprotobuf-c-dev \
        protobuf-c-compiler libisl-dev libgmp-dev
    build=$out/nncc
    mkdir -p "$build"
    { cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF &&
        cmake --build "$build" --target nncc
    } >"$build/build.log" 2>&1 || {
        tail -n 30 "$build/build.log" >&2
        echo "building nncc failed; the whole log is $build/build.log" >&2
        exit 1
    }
    NNCC=$build/nncc
    echo "built $NNCC ($("$NNCC" --version | head -n 1))"
}
