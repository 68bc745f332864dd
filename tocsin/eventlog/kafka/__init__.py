"""The event log on Apache Kafka 3.7 and later, by way of aiokafka."""
