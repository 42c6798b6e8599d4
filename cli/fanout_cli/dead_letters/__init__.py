"""List, filter, redrive and delete the messages of dead-letter queues."""
