channel.send("over a socket")
