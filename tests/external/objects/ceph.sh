#!/usr/bin/env bash
# A Ceph cluster of one monitor, one store in memory and one S3 gateway, for tests.
#
#   tests/external/objects/ceph.sh MONITOR-PORT GATEWAY-PORT
#
# Says when the gateway takes requests of the user AKIDTEST with the secret key canary-secret, and ends when its
# input does. All of it is in a temporary folder, which is removed then.
set -euo pipefail
monitor=$1 gateway=$2
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null || true; wait; rm -rf "$folder"' EXIT

# One place for each object, and no secrets between the parts, whose default it is to encrypt.
cat > "$folder/ceph.conf" << EOF
[global]
fsid = 00000000-0000-0000-0000-000000000001
mon_host = v2:127.0.0.1:$monitor
public_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
run_dir = $folder
crash_dir = $folder
admin_socket =
log_file =
mon_cluster_log_file = /dev/null
mon_data = $folder/mon
osd_data = $folder/osd
osd_objectstore = memstore
rgw_data = $folder
rgw_frontends = beast endpoint=127.0.0.1:$gateway
mon_allow_pool_size_one = true
osd_pool_default_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
paxos_propose_interval = 0.05
EOF
export CEPH_CONF=$folder/ceph.conf
mkdir "$folder/osd"

monmaptool --create --fsid 00000000-0000-0000-0000-000000000001 --addv a "[v2:127.0.0.1:$monitor]" "$folder/map"
ceph-mon --mkfs --id a --monmap "$folder/map"
ceph-mon --foreground --id a &
store=00000000-0000-0000-0000-000000000002
ceph --connect-timeout 60 osd new "$store"
ceph-osd --mkfs --id 0 --osd-uuid "$store"
ceph-osd --foreground --id 0 &
timeout 60 radosgw-admin user create --uid=tester --display-name=tester --access-key=AKIDTEST \
  --secret-key=canary-secret
radosgw --foreground --name client.admin &
until (: <> "/dev/tcp/127.0.0.1/$gateway") 2> /dev/null; do
  kill -0 "$!"
  sleep 0.1
done
echo "Running on http://127.0.0.1:$gateway"
cat > /dev/null
