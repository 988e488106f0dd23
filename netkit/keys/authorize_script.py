"""The script that adds a line to authorized_keys on a POSIX gateway.  Pure: a text.

It goes to ``exec sh`` on standard input, so that the login shell does not matter and nothing is an
argument; it is functions, called in its last line, so that half of it does nothing.  It needs a
POSIX shell with printf, ls, cat, tail, wc, sed, head, mv, rm, mkdir, chmod, id, dirname and
basename; readlink where there is a symbolic link.

What it promises: a key that is there, with whatever options and comment, is not added again; the
new file is written beside the old one and takes its place in one step, so a full disk or a lost
link leaves the old file whole; the file of somebody else, or one without write permission, is left
alone.  Source of what sshd wants: sshd(8), AUTHORIZED_KEYS FILE FORMAT and FILES; sshd_config(5),
StrictModes; misc.c (safe_path).
"""

from __future__ import annotations

from typing import Final

SCRIPT: Final = r"""
say() { printf 'netkit-key: %s\n' "$*"; }
fail() { say "failed $*"; exit 1; }
look() {
  mode= owner=
  set -- $(ls -ldn "$1" 2>/dev/null)
  mode=${1-} owner=${3-}
}
expand() {
  rest=$1 path=
  while :; do
    case $rest in
      *%*)
        path=$path${rest%%\%*} rest=${rest#*%}
        case $rest in
          h*) path=$path$HOME ;;
          u*) path=$path$user ;;
          U*) path=$path$me ;;
          %*) path=$path% ;;
        esac
        rest=${rest#?} ;;
      *) path=$path$rest; break ;;
    esac
  done
  case $path in /*) ;; *) path=$HOME/$path ;; esac
}
candidates() {
  told=
  if [ "$server" = dropbear ]; then
    list=.ssh/authorized_keys
    if [ "$me" = 0 ] && [ -f /etc/openwrt_release ]; then list=/etc/dropbear/authorized_keys; fi
    return 0
  fi
  for sshd in "$(command -v sshd)" /usr/sbin/sshd /usr/local/sbin/sshd /usr/lib/ssh/sshd; do
    [ -x "$sshd" ] || continue
    set -- ${SSH_CONNECTION-}
    from=${1:-127.0.0.1}
    told=$("$sshd" -T -C "user=$user,host=$from,addr=$from" 2>/dev/null </dev/null)
    break
  done
  list=$(setting authorizedkeysfile '[Aa]uthorized[Kk]eys[Ff]ile')
  types=$(setting 'pubkeyaccepted[a-z]*' '[Pp]ubkey[Aa]ccepted[A-Za-z]*')
  [ -z "$types" ] || say "types $types"
  if [ -n "$list" ]; then
    say "reads $list"
  else
    list='.ssh/authorized_keys .ssh/authorized_keys2'
  fi
}
setting() {
  if [ -n "$told" ]; then
    printf '%s\n' "$told" | sed -n "s/^$1 //p" | head -n 1
    return 0
  fi
  set +f
  for each in /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config; do
    sed -n -e '/^[[:space:]]*[Mm][Aa][Tt][Cc][Hh][[:space:]]/q' \
      -e "s/^[[:space:]]*$2[[:space:]=]*//p" "$each" 2>/dev/null
  done | head -n 1
}
holds() {
  case $1 in *"$blob"*) ;; *) return 1 ;; esac
  set -- $1
  case ${1-} in \#*) return 1 ;; esac
  while [ $# -gt 1 ]; do
    [ "$1" = "$type" ] && [ "$2" = "$blob" ] && return 0
    shift
  done
  return 1
}
choose() {
  candidates
  chosen= first= holder=
  for each in $list; do
    [ "$each" != none ] || continue
    expand "$each"
    first=${first:-$path}
    if [ -e "$path" ] || [ -L "$path" ]; then chosen=${chosen:-$path}; fi
    if [ -z "$holder" ]; then scan "$path"; [ "$found" = 0 ] || holder=$path; fi
  done
  chosen=${holder:-${chosen:-$first}}
  [ -n "$chosen" ] || fail none
}
before() {
  was=${1%%"$blob"*}
  was=${was%"$type"*}
  while :; do
    case $was in
      *[[:space:]]) was=${was%?} ;;
      [[:space:]]*) was=${was#?} ;;
      *) break ;;
    esac
  done
}
scan() {
  found=0 odd=0 first_options=
  [ -f "$1" ] || return 0
  while IFS= read -r entry || [ -n "$entry" ]; do
    if holds "$entry"; then
      found=$((found + 1))
      before "$entry"
      [ "$found" -gt 1 ] || first_options=$was
      [ "$was" = "$options" ] || odd=$((odd + 1))
    fi
  done <"$1"
}
follow() {
  real=$1 hops=0
  while [ -L "$real" ]; do
    hops=$((hops + 1))
    [ "$hops" -lt 20 ] || fail symlink "$1"
    next=$(readlink "$real") && [ -n "$next" ] || fail symlink "$real"
    case $next in /*) real=$next ;; *) real=$(dirname "$real")/$next ;; esac
  done
}
check() {
  dir=$(dirname "$real")
  if [ ! -d "$dir" ]; then
    [ "$dir" = "$HOME/.ssh" ] || fail no-directory "$dir"
    mkdir -m 700 "$dir" 2>/dev/null || fail cannot-write "$HOME"
  fi
  look "$dir/."
  [ "$owner" = "$me" ] || fail directory-not-ours "$dir"
  [ -e "$real" ] || return 0
  [ -f "$real" ] || fail not-a-file "$real"
  look "$real"
  [ "$owner" = "$me" ] || fail not-ours "$real"
  [ -r "$real" ] || fail unreadable "$real"
}
append() {
  if [ -f "$real" ]; then
    cat "$real" || return 1
    size "$real"
    if [ "$bytes" -gt 0 ] && [ "$(($(tail -c 1 "$real" | wc -l)))" = 0 ]; then
      printf '\n' || return 1
    fi
  fi
  printf '%s\n' "$line"
}
renew() {
  once=
  while IFS= read -r entry || [ -n "$entry" ]; do
    if holds "$entry"; then
      [ -n "$once" ] || printf '%s\n' "$line" || return 1
      once=yes
    else
      printf '%s\n' "$entry" || return 1
    fi
  done <"$real"
}
size() {
  set -- $(wc -c <"$1")
  bytes=${1:-0}
}
put() {
  look "$real"
  case $mode in ''|??w*) ;; *) fail read-only "$real" ;; esac
  draft=$dir/.$(basename "$real").netkit.$$
  trap 'rm -f "$draft"' 0
  trap 'exit 1' 1 2 13 15
  (set -C; : >"$draft") 2>/dev/null || fail cannot-write "$dir"
  old=-1
  if [ -f "$real" ]; then size "$real"; old=$bytes; fi
  "$1" >"$draft" 2>/dev/null || fail full "$dir"
  scan "$draft"
  [ "$found" = 1 ] && [ "$odd" = 0 ] || fail full "$dir"
  size "$draft"
  [ "$1" != append ] || [ "$bytes" -gt "$old" ] || fail full "$dir"
  bytes=-1
  [ ! -f "$real" ] || size "$real"
  [ "$bytes" = "$old" ] || fail changed "$real"
  chmod 600 "$draft" && mv -f "$draft" "$real" 2>/dev/null || fail cannot-write "$real"
  trap - 0
}
tighten() {
  look "$1"
  [ -n "$mode" ] || return 0
  case $2:$mode in
    700:?rwx------*|600:????------*|go-w:?????-??-*) return 0 ;;
  esac
  if [ "$owner" = "$me" ] && chmod "$2" "$1" 2>/dev/null; then say "repaired $3 $mode"
  elif case $mode in ?????-??-*) false ;; esac then say "suspect $3 $mode"
  fi
}
main() {
  set -f
  umask 077
  LC_ALL=C; export LC_ALL
  IFS=$(printf ' \t\r\n_'); IFS=${IFS%_}
  me=$(id -u) user=${LOGNAME:-$(id -un 2>/dev/null)}
  [ -n "${HOME-}" ] && [ -d "$HOME" ] || fail no-home
@SETTINGS@
  if [ -n "$given" ]; then expand "$given"; chosen=$path; else choose; fi
  say "file $chosen"
  follow "$chosen"
  check
  scan "$real"
  [ "$found" = 0 ] || say "options $first_options"
  if [ "$found" = 0 ]; then put append; done=added
  elif [ "$odd" = 0 ]; then done=present
  elif [ -n "$replace" ]; then put renew; done=updated
  elif [ -n "$options" ]; then fail differs "$chosen"
  else done=present
  fi
  tighten "$HOME/." go-w "$HOME"
  bits=go-w
  [ "$dir" != "$HOME/.ssh" ] || bits=700
  tighten "$dir/." "$bits" "$dir"
  tighten "$real" 600 "$real"
  if command -v restorecon >/dev/null 2>&1; then
    restorecon "$dir" "$real" >/dev/null 2>&1 </dev/null
  fi
  say "$done"
  say end
}
main
"""
