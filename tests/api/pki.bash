# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Certificates for tests of TLS: a file says load helper, load pki, and make_pki in its setup_file.
#
#   make_pki                              an authority, and a certificate of a server that is called localhost, 127.0.0.1
#                                         and creche.example; sets PKI, the folder: ca.crt, server.crt, server.key
#   make_ca NAME                          another authority
#   make_certificate NAME CA [DAYS [EXTENSION...]]    DAYS may be negative: it has expired
#   TLS                                   the options of creched for it

make_pki() {
  export PKI=$BATS_FILE_TMPDIR/pki CRECHE_CA=$BATS_FILE_TMPDIR/pki/ca.crt
  mkdir -p "$PKI" && make_ca ca && make_server_certificate server ca
}

_quiet() { # COMMAND...
  "$@" 2>"$PKI/said" >&2 || fail "$* $(<"$PKI/said")"
}

_new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

make_ca() { # NAME
  _quiet openssl req -x509 "${_new_key[@]}" -keyout "$PKI/$1.key" -out "$PKI/$1.crt" -days 30 -subj "/CN=$1"
}

make_certificate() { # NAME CA [DAYS [EXTENSION...]]
  _quiet openssl req "${_new_key[@]}" -keyout "$PKI/$1.key" -out "$PKI/$1.csr" -subj "/CN=$1" &&
    _quiet openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/$2.crt" -CAkey "$PKI/$2.key" -CAcreateserial \
      -days "${3:-30}" -extfile <(printf '%s\n' "${@:4}") -out "$PKI/$1.crt"
}

make_server_certificate() { # NAME CA [DAYS]
  make_certificate "$1" "$2" "${3:-30}" subjectAltName=DNS:localhost,DNS:creche.example,IP:127.0.0.1
}

# shellcheck disable=SC2034
tls_options() { # sets TLS
  TLS=(--tls-cert "$PKI/server.crt" --tls-key "$PKI/server.key")
}
