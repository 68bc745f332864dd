"""Systems that use Tocsin."""
