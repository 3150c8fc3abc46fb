"""What `vulture` takes for unused and is not, each with its reason. It is read by vulture alone, and never run."""

from __future__ import annotations

from typing import Any

_: Any = None

_.format_commands  # click asks a group for it, to print help
_.hide_exceptions  # yfinance reads this setting of its own
_.exec_module  # importlib asks a loader for it
_.equity_after  # a column of trades.csv, which is made from the record's fields
_.git_dirty  # of the code that ran: recorded whole with the session
_.modified  # the same
_.prepare_threshold  # psycopg reads this setting of its connection
_.brief  # the page's template calls it
_.machine_time  # the same
_.breakable  # the same
_.box  # the template asks a line for it
_.first_at  # and a curve for this
_.last_at  # the same
_.redirect_request  # urllib asks it whether to follow a redirect
_.late_bars  # counted in each bar's event, as a dict
_.last_fill_at  # the same
_.trust_env  # requests reads this setting of its session
_.disagree  # stands in the adopted event, as a dict
_.by  # who made a download stands in the event that loads prices, as a dict
