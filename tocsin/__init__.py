"""The core that every service of Tocsin stands on. It knows no service."""
