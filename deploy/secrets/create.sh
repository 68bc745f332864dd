#!/bin/sh
# Makes the secrets that are not there yet; what is there stays. They can be read by you only.
set -eu
cd "$(dirname "$0")"
umask 077

random() { # 32 random bytes in 43 characters: A-Z a-z 0-9 - _
    head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_'
}

# PostgreSQL's, for itself and for its clients. It holds once the database is made: to change it, ALTER ROLE as well.
[ -e postgres-password ] || printf '%s\n' "$(random)" >postgres-password
[ -e pgpass ] || printf '*:*:*:tocsin:%s\n' "$(cat postgres-password)" >pgpass

# The first API key, with all scopes. `tocsin keys create` makes others with it.
[ -e bootstrap-key ] || printf 'tcs_%s\n' "$(random)" >bootstrap-key

# Of the user `admin` of Grafana.
[ -e grafana-password ] || printf '%s\n' "$(random)" >grafana-password

# Seals the links with which people unsubscribe from mails. With another one, those that were sent work no more.
[ -e unsubscribe-secret ] || printf '%s\n' "$(random)" >unsubscribe-secret

# Signs the return paths of mails. With another one, bounces of those that were sent are not believed.
[ -e bounces-secret ] || printf '%s\n' "$(random)" >bounces-secret

# The private VAPID key of the channel browser, to be filled in; empty where it is not used.
[ -e vapid-key ] || : >vapid-key

# The mail server's, to be filled in; empty where it wants none.
[ -e smtp-password ] || : >smtp-password

# The key that signs mails, and those of Amazon SES and of Resend, to be filled in; empty where they are not used.
[ -e dkim-key ] || : >dkim-key
[ -e ses-secret-access-key ] || : >ses-secret-access-key
[ -e resend-api-key ] || : >resend-api-key
[ -e resend-webhook-secret ] || : >resend-webhook-secret

# Of Firebase and of Apple, to be filled in; empty where the channel push does without.
[ -e fcm-service-account ] || : >fcm-service-account
[ -e apns-key ] || : >apns-key

# Of Twilio and of Vonage, to be filled in; empty where texts are not sent through them.
[ -e twilio-auth-token ] || : >twilio-auth-token
[ -e vonage-api-secret ] || : >vonage-api-secret
