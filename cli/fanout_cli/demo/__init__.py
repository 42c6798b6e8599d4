"""The demo: every ordinary sample goes through the deployed application, and every effect is checked in its store.

Each use case has its part beside its template, in `usecases/<use_case>/demo.py`, with one class:

    # usecases/user_registration/demo.py
    from fanout_cli.demo.definition import Event, UseCaseDemo

    class Demo(UseCaseDemo):
        def fresh(self, event: Event, run: str) -> Event:
            # A sample with new business keys, so that a second run finds nothing done already. The new event id and
            # time are there already; `run` is a short text that no other run and no other sample has.
            return self.with_data(event, user_id=f"user-{run}")

        def effect(self, event: Event, subscriber: str) -> str:
            # What stands in the real store, as one readable sentence; "" if it is not there.
            item = self.item(self.setting(subscriber, "USERS_TABLE"), pk=f"user#{event['data']['user_id']}")
            return f"table users holds {item['user_id']}" if item else ""

The samples are `events/<use_case>/valid/ordinary*.json`, one event each. Whom an event is for follows from the deployed
subscriptions and their filters. Override, where the use case needs it:

- `prepare()`: a context manager, for what must be there while the demo runs (a server behind a webhook);
- `bring_about(events)`: where an application's producer publishes the events (a stream), makes it do so;
- `is_for(event, subscriber)`: False if the subscriber discards it by its data (an audience);
- `derived(event)`: the events that handling this one publishes, made with `self.caused(...)`; their deliveries become
  rows too, and the `Demo` of the use case that receives them checks their effects;
- `others(events)`: checks of what has no function: e-mail, SMS, Firehose (`Check`). Queues that take what no subscriber
  takes (`Unrouted`) are checked for every use case without a word from it.
"""
