#!/usr/bin/env bash
# A real Apache Kafka of one node (KRaft: broker and controller in one process) on loopback ports of its own.
#
#   kafka.sh start [--again] DIR [PROPERTY=VALUE…]   starts a broker and returns when it serves; prints kafka=HOST:PORT pid=N
#   kafka.sh run   [--again] DIR [PROPERTY=VALUE…]   the same as this very process: prints kafka=HOST:PORT, then logs; ends with it
#   kafka.sh stop  DIR                               ends the broker of DIR in order, by its recorded pid
#   kafka.sh jars                                    fetches what a broker needs; prints the folder. start and run do it too
#   kafka.sh topics FLAGS…                           is Kafka's own kafka-topics.sh
#   kafka.sh version                                 prints the version
#
# DIR gets the cluster: server.properties, data/, pid, and from start a log. A folder that has one is refused, unless --again
# says to go on with it: at the same address, with the same properties. Kafka's jars come by Maven as this machine has it set
# up, are held against the sums in libs.sha256, and are kept in $TIDEMARK_KAFKA_CACHE (default: tidemark/kafka in the user's
# cache folder), beside an archive of loaded classes that halves the time of a start. Needs a JDK 17 or later and Maven.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|.*<artifactId>kafka_2.13</artifactId><version>\(.*\)</version>.*|\1|p' "$here/pom.xml")
# Another list of jars is another folder, so that checkouts of different ages leave each other's alone.
cache=${TIDEMARK_KAFKA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/kafka}/$version-$(cksum <"$here/libs.sha256" | cut -d' ' -f1)
libs=$cache/libs
classes=$cache/classes.jsa

copy_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1
ready_line='Kafka Server started'
start_tries=3          # somebody may take a port between the look and the broker
start_seconds=120      # a machine that is busy with other things
stop_seconds=${KAFKA_LEARN:+120} # writing down classes takes its time
stop_seconds=${stop_seconds:-20}
lowest_port=15000      # and up to where the system's own choices begin

no_java='java not installed: apt-get install openjdk-17-jre-headless'

die() { echo "kafka.sh: $*" >&2; exit 1; }

# absent says what this machine lacks, by an exit code of its own: tests are left out then.
absent() { echo "kafka.sh: $*" >&2; exit 3; }

sums() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

# sound tells whether the folder has the jars of the list, all of them and no others.
sound() { [ -d "$1" ] && (cd "$1" && sums ./*.jar 2>/dev/null | sed 's|  \./|  |' | cmp -s - "$here/libs.sha256"); }

# jars sees to the jars and to the archive of classes. Several processes may do so at once.
jars() {
  if [ ! -e "$libs" ]; then
    command -v mvn >/dev/null || absent "mvn not installed: apt-get install maven"
    mkdir -p "$cache"
    local fresh
    fresh=$(mktemp -d "$cache/.fresh.XXXXXX")
    mvn -B -q -ntp -f "$here/pom.xml" "$copy_plugin:copy-dependencies" \
      -DoutputDirectory="$fresh" -DincludeScope=runtime >&2 || { rm -rf "$fresh"; absent "Maven could not fetch Kafka $version"; }
    sound "$fresh" || die "the jars in $fresh are not those of $here/libs.sha256"
    # If another process was first, ours lands inside of its folder, and goes.
    mv "$fresh" "$libs" && rm -rf "$libs/${fresh##*/}"
  fi
  sound "$libs" || die "the jars in $libs are not those of $here/libs.sha256: remove that folder"
  [ -e "$classes" ] || learn_classes
}

# learn_classes starts and ends a broker once, which writes down the classes that it has loaded. A broker without the archive
# is slower, not worse, so a failure is told and does no harm.
learn_classes() {
  local dir=$cache/.learn.$$
  # In a process group of its own, whose end is waited for; the archive is written when the virtual machine ends.
  if (
    export KAFKA_LEARN=$dir.jsa
    "$here/kafka.sh" start "$dir" >/dev/null && "$here/kafka.sh" stop "$dir" && [ -s "$dir.jsa" ]
  ); then
    mv "$dir.jsa" "$classes"
  else
    echo "kafka.sh: no archive of classes could be made; brokers start slower" >&2
  fi
  rm -rf "$dir" "$dir.jsa"
}

java_flags() {
  echo -Xms256m -Xmx256m -XX:+UseSerialGC -XX:MaxDirectMemorySize=128m -Xss512k -XX:-UsePerfData -XX:TieredStopAtLevel=1 \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=info -Dorg.slf4j.simpleLogger.logFile=System.out
  if [ -n "${KAFKA_LEARN:-}" ]; then
    echo "-XX:ArchiveClassesAtExit=$KAFKA_LEARN"
  elif [ -e "$classes" ]; then
    echo "-XX:SharedArchiveFile=$classes"
  fi
}

# free_port prints a port that nobody listens on, below those that the system hands out itself.
free_port() {
  local low=32768 port
  [ ! -r /proc/sys/net/ipv4/ip_local_port_range ] || read -r low _ </proc/sys/net/ipv4/ip_local_port_range
  [ "$low" -gt $((lowest_port + 1000)) ] || low=$((lowest_port + 1000))
  while :; do
    port=$((lowest_port + (RANDOM * 32768 + RANDOM) % (low - lowest_port)))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# properties writes what one node needs to serve alone, and soon. Later lines win, so the caller's come last.
properties() {
  local dir=$1 port=$2 controller=$3
  shift 3
  cat <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$dir/data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
# The default of three seconds is for many consumers that start together.
group.initial.rebalance.delay.ms=0
# Tests kill members, and wait until the group has given them up.
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controlled.shutdown.enable=false
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=2097152
# So that what is to be compacted or removed by age is so within a test's patience.
log.cleaner.backoff.ms=200
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=1000
END
  printf '%s\n' "$@"
}

property() { sed -n "s|^$2=||p" "$1/server.properties" | tail -n 1; }

address() { property "$1" advertised.listeners | sed 's|.*//||'; }

# admit refuses a folder that holds a cluster, unless it is to go on, and one whose broker runs.
admit() {
  local again=$1 dir=$2
  if [ ! -e "$dir/server.properties" ]; then
    [ -z "$again" ] || die "$dir holds no cluster to go on with"
    return 0
  fi
  ! alive "$dir" || die "the broker of $dir runs, as process $(cat "$dir/pid")"
  [ -n "$again" ] || die "$dir holds a cluster: --again goes on with it"
}

# prepare makes the folder of a new cluster.
prepare() {
  local again=$1 dir=$2
  shift 2
  [ -z "$again" ] || return 0
  mkdir -p "$dir"
  properties "$dir" "$(free_port)" "$(free_port)" "$@" >"$dir/server.properties"
  local id
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
  # shellcheck disable=SC2046 # flags are split at blanks
  KAFKA_LEARN='' java $(KAFKA_LEARN='' java_flags) -cp "$libs/*" kafka.tools.StorageTool \
    format --cluster-id="$id" -c "$dir/server.properties" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; die "formatting $dir failed"; }
}

# alive tells whether the recorded process is the broker of this very folder: a number may have passed to somebody else.
alive() {
  local pid args
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  args=$({ ps -o args= -p "$pid" || tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) || return 1
  [[ $args == *"kafka.Kafka $1/server.properties"* ]]
}

run() {
  local dir=$2
  [ -n "${KAFKA_LEARN:-}" ] || jars >/dev/null
  admit "$@"
  prepare "$@"
  echo "kafka=$(address "$dir")"
  echo $$ >"$dir/pid"
  # shellcheck disable=SC2046 # flags are split at blanks
  exec java $(java_flags) -cp "$libs/*" kafka.Kafka "$dir/server.properties"
}

start() {
  local again=$1 dir=$2 tries=$start_tries deadline child
  [ -n "${KAFKA_LEARN:-}" ] || jars >/dev/null
  admit "$@"
  mkdir -p "$dir"
  [ ! -e "$dir/log" ] || mv "$dir/log" "$dir/log.before"
  while :; do
    nohup "$here/kafka.sh" run ${again:+--again} "${@:2}" >"$dir/log" 2>&1 </dev/null &
    child=$!
    deadline=$((SECONDS + start_seconds))
    until grep -qs "$ready_line" "$dir/log"; do
      if ! kill -0 "$child" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
        break
      fi
      sleep 0.1
    done
    if grep -qs "$ready_line" "$dir/log"; then
      echo "kafka=$(address "$dir") pid=$child"
      return
    fi
    kill -9 "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    tries=$((tries - 1))
    if [ "$tries" -gt 0 ] && [ -z "$again" ] && grep -q 'Address already in use' "$dir/log"; then
      rm -rf "$dir/server.properties" "$dir/data" "$dir/pid" # made here a moment ago, and nobody has written to it
      continue
    fi
    tail -n 40 "$dir/log" >&2
    die "the broker of $dir did not start"
  done
}

stop() {
  local dir=$1 pid deadline
  alive "$dir" || return 0
  pid=$(cat "$dir/pid")
  kill -TERM "$pid"
  deadline=$((SECONDS + stop_seconds))
  while alive "$dir"; do
    [ "$SECONDS" -lt "$deadline" ] || { kill -9 "$pid" 2>/dev/null || true; }
    sleep 0.1
  done
}

command=${1:-}
[ $# -eq 0 ] || shift
again=
if [ "${1:-}" = --again ]; then again=yes; shift; fi
case $command in
  start | run | stop)
    [ -n "${1:-}" ] || die "$command: which folder?"
    command -v java >/dev/null || absent "$no_java"
    dir=$(mkdir -p "$(dirname "$1")" && cd "$(dirname "$1")" && pwd)/$(basename "$1")
    shift
    case $command in
      stop) stop "$dir" ;;
      *) "$command" "$again" "$dir" "$@" ;;
    esac
    ;;
  jars) command -v java >/dev/null || absent "$no_java"
    jars
    echo "$libs" ;;
  topics) command -v java >/dev/null || absent "$no_java"
    jars >/dev/null
    exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
      -cp "$libs/*" org.apache.kafka.tools.TopicCommand "$@" ;;
  version) echo "$version" ;;
  *) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
