#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The manual pages say what the programs say.

BUILD=${BUILD:-$BATS_TEST_DIRNAME/../../build}

pages() { printf '%s\n' "$BUILD"/man/*.[1-9]; }

# Each page as text, with no word broken.
setup_file() {
  local page

  while read -r page; do
    MANWIDTH=400 man --no-hyphenation --no-justification -E UTF-8 -l "$page" 2>/dev/null | col -bx \
      >"$BATS_FILE_TMPDIR/${page##*/}"
  done < <(pages)
}

shown() { cat "$BATS_FILE_TMPDIR/$1"; }

# The long options, and the short ones, that are explained: those that begin a line.
options() { grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+|^ +-[a-zA-Z], ' | grep -oE -- '--?[a-zA-Z][a-z-]*' | sort -u; }

same() { # WHAT ONE OTHER
  diff <(sort -u <<<"$2") <(sort -u <<<"$3") || { echo "$1 differ" >&2 && return 1; }
}

@test "there are five pages, and man and mandoc find nothing wrong with them" {
  local page said

  [[ $(pages | xargs -n1 basename | tr '\n' ' ') == 'creche-api.7 creche-init.8 creche.1 creche.ini.5 creched.8 ' ]]
  while read -r page; do
    said=$(MANWIDTH=100 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
    [[ -z $said ]] || { echo "$page: $said" >&2 && return 1; }
    mandoc -T lint -W warning "$page"
  done < <(pages)
}

@test "creche(1) has the commands of the help, and no others" {
  local help page

  help=$("$BUILD/creche" help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\( [a-z]\+\)\?\)  .*/\1/p')
  page=$(shown creche.1 | sed -n 's/^   creche \([a-z -]*\)$/\1/p')
  (($(wc -l <<<"$help") > 30))
  same commands "$help" "$page"
}

@test "creche(1) has the options of each command's help, and no others" {
  local command help page

  while read -r command; do
    # shellcheck disable=SC2086
    help=$("$BUILD/creche" $command --help | sed '/^Everywhere:/,$d' | options)
    page=$(shown creche.1 | sed -n "/^   creche $command\$/,/^\(   creche \|[A-Z]\)/p" |
      sed '1d;$d' | options)
    same "the options of $command" "$help" "$page"
  done < <(shown creche.1 | sed -n 's/^   creche \([a-z -]*\)$/\1/p')
  help=$("$BUILD/creche" ps --help | sed -n '/^Everywhere:/,$p' | options)
  page=$(shown creche.1 | sed -n '/^OPTIONS EVERYWHERE/,/^PROCESSES/p' | options)
  same 'the options of all' "$help"$'\n-V\n--version' "$page"
}

@test "creche(1) has the exit codes of the help" {
  local help page

  help=$("$BUILD/creche" help exit-codes | sed -n 's/^  \([0-9N+-]*\) .*/\1/p')
  page=$(shown creche.1 | sed -n '/^EXIT STATUS/,/^ENVIRONMENT/s/^       \([0-9][0-9N+-]*\)$/\1/p')
  same 'exit codes' "$help" "$page"
}

@test "creched(8) has the options and variables of creched --help, and no others" {
  same options "$("$BUILD/creched" --help | options)" "$(shown creched.8 | sed -n '/^OPTIONS/,/^SIGNALS/p' | options)"
  same variables "$("$BUILD/creched" --help | grep -oE '\[CRECHE_[A-Z_]+' | tr -d '[')" \
    "$(shown creched.8 | grep -oE 'CRECHE_[A-Z_]+')"
}

@test "creche.ini(5) has the keys that there are, and no others" {
  local section

  for section in creche creched; do
    same "keys of $section" \
      "$("$BUILD/creche" config -o json | jq -r --arg s $section '.settings[] | select(.section == $s) | .name' |
        grep -vx token)" \
      "$(shown creche.ini.5 | sed -n "/^KEYS OF \[$section\]/,/^\(KEYS OF \[creched\]\$\|SEE\)/s/^       \([a-z-]*\) = .*/\1/p")"
  done
}

@test "creche-api(7) has the operations of the contract, and no others" {
  same operations \
    "$(jq -r '.paths | to_entries[] | .key as $p | .value | to_entries[] | select(.value.operationId) |
      "\(.key | ascii_upcase) \($p)"' "$BATS_TEST_DIRNAME/../../api/openapi.json")" \
    "$(shown creche-api.7 | grep -oE '^ +(GET|POST|PUT|PATCH|DELETE|HEAD) /.*' | sed 's/^ *//')"
}
