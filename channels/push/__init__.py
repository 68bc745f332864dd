"""Push to the devices of a recipient, through Firebase Cloud Messaging and the Apple Push Notification service."""
