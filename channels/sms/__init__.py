"""SMS over Twilio and Vonage."""
