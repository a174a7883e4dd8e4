"""The playground: a network in the browser that trains, explains itself and can be changed while it runs.

``settings.py`` holds what can be set, ``datasets.py`` makes the data, ``run.py`` trains in small steps, ``pictures.py``
draws heat maps, ``walk.py`` and ``inspection.py`` explain statements and weights.  ``session.py`` puts them together;
its methods can be called without a browser.  ``messages.py`` is the schema of the messages, ``server.py`` sends them
over a WebSocket, and ``page/`` is the page.  Every number comes from the program of the network.
"""
