"""Links between grids: limited, lossy, and paid for when they cross a border."""

from wateropt.tables import Column
from wateropt.units import MUSD_PER_GWH_PER_USD_PER_MWH

NAME = "link"
COLUMNS = (
    Column("origin", "text", "grid at one end", refers="grid"),
    Column("destination", "text", "grid at the other end", refers="grid"),
    Column("capacity", "MW", "limit from origin to destination", low=0.0),
    Column("reverse_capacity", "MW", "limit from destination to origin", low=0.0),
    Column("loss", "1", "share lost on the way", low=0.0, high=0.5),
    Column("price", "USD/MWh", "what the receiver's country pays the sender's", low=0.0, default=0.0),
)
SERIES = ()
RULES = ()


def build(stage, links):
    """Add links."""
    both = [(k, b) for k in links for b in stage.blocks]
    forward = stage.variable("sent_forward", both, "GWh", upper=lambda k, b: links.capacity[k] * stage.gwh_per_mw[b])
    back = stage.variable("sent_back", both, "GWh", upper=lambda k, b: links.reverse_capacity[k] * stage.gwh_per_mw[b])

    # (L1) what is sent arrives at the other end less the loss
    for sent, origin, destination in ((forward, links.origin, links.destination),
                                      (back, links.destination, links.origin)):
        stage.transmit(links, origin, destination, lambda k, b, sent=sent: sent[k, b],
                       lambda k, b, sent=sent: (1 - links.loss[k]) * sent[k, b])
    _pay(stage, links, both, forward, back)


def _pay(stage, links, both, forward, back):
    country = stage.book.tables["grid"].country
    to_musd = stage.number(MUSD_PER_GWH_PER_USD_PER_MWH, "MUSD*MWh/(GWh*USD)")
    abroad = [(k, b) for k, b in both if country[links.origin[k]] != country[links.destination[k]]]
    # (L2) across a border the receiver pays the sender: two transfers that sum to zero
    for end, sign in ((links.origin, -1), (links.destination, 1)):
        whose = {k: country[end[k]] for k in links}
        stage.account("electricity_trade", abroad, whose, lambda k, b, sign=sign: sign * to_musd * links.price[k]
                      * (forward[k, b] - back[k, b]), kind="transfer")
