"""The event log: topics of partitioned, durable records, read by groups. A port, and its adapters."""
